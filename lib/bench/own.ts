/** Our own rows. */
import type { CheckpointOptions } from '../restore/read_options.js';
import type { OwnSaveEntry, Outcome, ReadEntry, SavedFiles, ScheduledEntry } from './entry.js';
import type { Phase } from './result.js';
import { runRead } from './read.js';
import { runSave } from './save.js';
import { readBlockBytesMin, type BenchSettings } from './settings.js';
import { describeWorkload } from './workload.js';

export function ownSave({ spec, writer }: BenchSettings): OwnSaveEntry {
  return {
    row: { id: 'snapshard', kind: 'ours', phase: 'save', label: 'snapshard' },
    bytes: describeWorkload(spec).bytes,
    async run(folder, options) {
      const { samples, how, path } = await runSave({ spec, folder, writer, trace: true }, options);
      return { sample: samples[0]!, how, path };
    },
  };
}

/** Reads as the writer wrote: engine, threads, block and depth; warm, through the page cache. */
export function ownReads(settings: BenchSettings): ReadEntry[] {
  const { spec } = settings;
  const { blockBytes, queueDepth, threads, engine, direct } = settings.writer;
  const reader: CheckpointOptions = { blockBytes: Math.max(readBlockBytesMin, blockBytes), queueDepth, threads, engine, direct };
  const { bytes } = describeWorkload(spec);
  const entry = (phase: Phase, cache: ReadEntry['cache']): ReadEntry => ({
    row: { id: 'snapshard', kind: 'ours', phase, label: 'snapshard' },
    cache,
    bytes,
    run: ({ path }: SavedFiles, options): Promise<Outcome> => {
      const work = phase === 'verify' ? 'verify' : 'restore';
      return runRead({ path, spec, work, reader: cache === 'warm' ? { ...reader, direct: false } : reader }, options);
    },
  });
  return [entry('verify', 'cold'), entry('restore cold', 'cold'), entry('restore warm', 'warm')];
}

/** One process for each rank saves over and over, at an interval; the last two steps are kept. */
export function scheduledSave({ spec, writer, repeat, warmup }: BenchSettings, intervalSeconds: number): ScheduledEntry {
  const saves = warmup + repeat;
  const label = intervalSeconds === 0 ? 'snapshard, one after another' : `snapshard, every ${intervalSeconds} s`;
  return {
    row: { id: 'snapshard-scheduled', kind: 'ours', phase: 'save', label },
    bytes: saves * describeWorkload(spec).bytes,
    async run(folder, options) {
      const { samples, how } = await runSave({ spec, folder, writer, saves, intervalSeconds, trace: true }, options);
      return { samples: samples.slice(warmup), how };
    },
  };
}
