import type { CudaTrialName } from './cuda_trials.js';
import { figureRow, rate, ratioRow, stagedRate, type Row } from './rows.js';
import type { Sample } from './trials.js';

const second = (name: keyof Sample) => (sample: Sample) => Number(sample[name] ?? NaN);
const stagedSeconds = second('nextStagedSeconds');
const called_ms = (sample: Sample): number => sample.call_ms?.[1] ?? NaN;
const staged_ms = (sample: Sample): number => stagedSeconds(sample) * 1000;
const afterCallSeconds = (sample: Sample): number => (staged_ms(sample) - called_ms(sample)) / 1000;

const lower = { better: 'lower' } as const;
const few = 'device, room';
const many = '100,000';
const snapshot = 'device, snapshot';

function rivalRows(name: 'torch.save' | 'async_save' | 'save_file', label: string): Row<CudaTrialName>[] {
  return [
    ratioRow('rivals', `durable, over ${label}`, ['device', name], rate),
    { ...ratioRow('rivals', `pause, over that of ${label}`, [few, name], stagedSeconds), ...lower, digits: 3 },
  ];
}

export const cudaRows: readonly Row<CudaTrialName>[] = [
  {
    ...ratioRow('staged', 'bytes/s until staged, over a copy loop', [few, 'copy loop'], stagedRate, rate),
    bar: 0.9,
    aim: 0.98,
  },
  { ...ratioRow('durable', 'durable, over the same from the host', ['device', 'host'], rate), bar: 0.95, aim: 1 },
  ratioRow('durable', 'durable, over fio', ['device', 'fio'], rate),
  figureRow('pause', 'pause: the call', 'ms', few, called_ms),
  figureRow('pause', 'pause: until staged', 'ms', few, staged_ms),
  figureRow('snapshot', 'pause with a snapshot: the call', 'ms', snapshot, called_ms),
  figureRow('snapshot', 'pause with a snapshot: until staged', 'ms', snapshot, staged_ms),
  {
    ...ratioRow('snapshot', 'that, over a copy within the device', [snapshot, 'copy within'], stagedSeconds, seconds),
    ...lower,
    bar: 1.5,
    aim: 1.1,
  },
  {
    ...ratioRow('tensors', '100,000 of 4 KiB until staged, over a copy', [many, 'copy in one'], stagedSeconds, seconds),
    ...lower,
    aim: 2,
  },
  {
    ...ratioRow('tensors', 'that, from the return of the call', [many, 'copy in one'], afterCallSeconds, seconds),
    ...lower,
  },
  { ...figureRow('slowdown', 'matrix product slower while saving', '%', 'slowdown', (s) => s.slowdownPercent), aim: 1 },
  ...rivalRows('torch.save', 'torch.save'),
  ...rivalRows('async_save', 'DCP async_save'),
  ...rivalRows('save_file', 'safetensors'),
];

export const cudaRowIds = [...new Set(cudaRows.map(({ id }) => id))];

function seconds(sample: Sample): number {
  return sample.seconds;
}
