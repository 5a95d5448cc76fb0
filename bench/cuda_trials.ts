import { fileURLToPath } from 'node:url';
import { runChild } from '../lib/bench/child.js';
import { copyTrial } from './cuda_copy.js';
import type { PythonCheck, PythonWay } from '../lib/bench/python.js';
import { rivalTrial, wayMissing, type TorchPlace } from './cuda_python.js';
import type { SlowdownResult, SlowdownTrial } from './cuda_slowdown_trial.js';
import { fioTrial, saveTrial, type SaveOptions, type TrialKind } from './trials.js';
import { KiB, MiB } from './units.js';

/** What the trials run on. */
export interface CudaPlace {
  device: number;
  torch: TorchPlace;
}

const fewTensors = 64;
const manyTensors = 100_000;
const manyBytes = manyTensors * 4 * KiB;
/** As large as the blocks that saves copy to. */
const pieceBytes = 4 * MiB;
const spareBytes = 64 * MiB;
const turns = 3;
const turnSeconds = 4;
const slowdownScript = fileURLToPath(new URL('./cuda_slowdown_trial.ts', import.meta.url));

function slowdownTrial({ device, torch }: CudaPlace, missing: TrialKind['missing']): TrialKind {
  return {
    missing,
    run: (place, bytes, signal) =>
      place.use('slowdown', async (folder) => {
        const trial: SlowdownTrial = { folder, tensors: fewTensors, bytes, device, torch, turnSeconds, turns };
        const result = await runChild<SlowdownResult>(slowdownScript, trial, signal);
        return { ...result, how: `${turns} turns of ${turnSeconds} s, alone and saving` };
      }),
  };
}

/** A save of the tensors in the memory of a GPU; with room, the pool holds all of them. */
function deviceTrial(name: string, device: number, bytes: number, roomy: boolean, more: SaveOptions = {}): TrialKind {
  const room = roomy ? { stagingBytes: bytes + spareBytes } : {};
  const options = { bytes, device, saves: 2, writer: { cudaDevice: device, ...room } };
  return saveTrial(name, { ...options, ...more });
}

/** In the order in which one round runs them: what is compared runs close together. */
export const cudaTrialNames = [
  'fio',
  'device',
  'host',
  'torch.save',
  'async_save',
  'save_file',
  'device, room',
  'copy loop',
  'device, snapshot',
  'copy within',
  '100,000',
  'copy in one',
  'slowdown',
] as const;

export type CudaTrialName = (typeof cudaTrialNames)[number];

/** @param bytes of one checkpoint */
export function makeCudaTrials(
  where: CudaPlace,
  check: PythonCheck,
  bytes: number,
): Record<CudaTrialName, TrialKind> {
  const { device, torch } = where;
  const missing = (way: PythonWay) => (): string | undefined => wayMissing(way, check, torch);
  const rival = (way: PythonWay): TrialKind => rivalTrial(way, torch, missing(way));
  const many = { tensors: manyTensors, bytes: manyBytes };
  return {
    fio: fioTrial,
    device: deviceTrial('device', device, bytes, false),
    host: saveTrial('host', { leases: true, saves: 2 }),
    'torch.save': rival('torch.save'),
    async_save: rival('async_save'),
    save_file: rival('save_file'),
    'device, room': deviceTrial('device-room', device, bytes, true),
    'copy loop': copyTrial({ device, direction: 'host', pieceBytes }),
    'device, snapshot': deviceTrial('device-snapshot', device, bytes, false, { deviceSnapshot: true }),
    'copy within': copyTrial({ device, direction: 'within' }),
    '100,000': deviceTrial('device-many', device, manyBytes, true, many),
    'copy in one': copyTrial({ device, direction: 'host', bytes: manyBytes }),
    slowdown: slowdownTrial(where, missing('torch.save')),
  };
}
