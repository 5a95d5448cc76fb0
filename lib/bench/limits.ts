/** What the device and the memory can do at their best: what all others are measured against. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runTogether, scriptBeside, type TogetherOptions } from './child.js';
import type { CopyEntry, Outcome, ReadEntry, SavedFiles, SaveEntry } from './entry.js';
import { fioBlockBytes, runFio, runFioRead, type FioMode, type FioResult } from './fio.js';
import { togetherSample } from './measured.js';
import type { ProbeDrive } from './probe.js';
import type { ProbeAnswer, ProbeInput } from './probe_trial.js';
import { copyThreads, readBlockBytesMin, type BenchSettings } from './settings.js';
import { describeWorkload } from './workload.js';

const script = scriptBeside(import.meta.url, 'probe_trial');
const wholeBytes = 2 ** 20;
/** As much as shows it. */
const copyBytesMax = 2 ** 30;

async function probe(inputs: readonly ProbeInput[], options: TogetherOptions): Promise<Outcome> {
  const answers = await runTogether<ProbeAnswer>(script, inputs, options);
  const sample = togetherSample(answers.map((answer) => answer.sample), answers[0]!.startedAt);
  return { sample, how: answers[0]!.how };
}

/** Direct, whatever the writer was told: it is the device's limit. */
function driveOf({ writer: { blockBytes, queueDepth, engine } }: BenchSettings): ProbeDrive {
  return { blockBytes, queueDepth, engine, direct: true };
}

/** As many processes as there are ranks write as much as these save. */
export function saveLimits(settings: BenchSettings, fio: FioMode | string): SaveEntry[] {
  const { ranks } = settings.spec;
  const { bytes } = describeWorkload(settings.spec);
  const own = Math.max(wholeBytes, Math.floor(bytes / ranks / wholeBytes) * wholeBytes);
  const drive = driveOf(settings);
  return [
    {
      row: { id: 'raw', kind: 'limit', phase: 'save', label: 'raw direct writes' },
      bytes,
      run: (folder, together) => {
        const inputs = Array.from({ length: ranks }, (_, rank): ProbeInput => {
          const path = join(folder, `rank-${rank}`);
          mkdirSync(path);
          return { kind: 'write', folder: path, bytes: own, drive };
        });
        return probe(inputs, together);
      },
    },
    fioEntry({ phase: 'save', label: 'fio' }, bytes, fio, (mode, folder: string, together) => {
      const whole = Math.max(ranks * fioBlockBytes, bytes - (bytes % (ranks * fioBlockBytes)));
      return runFio(folder, whole, together.startAt_ms, together.signal, mode, ranks);
    }),
  ];
}

/** As many processes as there are ranks read what these saved; fio one file each, the largest. */
export function readLimits(settings: BenchSettings, fio: FioMode | string): ReadEntry[] {
  const { ranks } = settings.spec;
  const { bytes } = describeWorkload(settings.spec);
  const drive = driveOf(settings);
  const blockBytes = Math.max(readBlockBytesMin, settings.writer.blockBytes);
  const cold = { cache: 'cold' } as const;
  return [
    {
      row: { id: 'raw', kind: 'limit', phase: 'restore cold', label: 'raw direct reads' },
      ...cold,
      bytes,
      run: ({ shards }, together) => {
        const shares = Array.from({ length: ranks }, (_, rank) => shards.filter((_, index) => index % ranks === rank));
        const some = shares.filter((share) => share.length > 0);
        return probe(
          some.map((share): ProbeInput => ({ kind: 'read', paths: share.map(({ path }) => path), drive: { ...drive, blockBytes } })),
          together,
        );
      },
    },
    {
      ...cold,
      ...fioEntry({ phase: 'restore cold', label: 'fio' }, bytes, fio, (mode, { shards }: SavedFiles, together) => {
        const some = shards.slice(0, ranks);
        const least = Math.min(...some.map((shard) => shard.bytes));
        const whole = least - (least % fioBlockBytes);
        if (whole === 0) throw new Error(`the files are smaller than a block of fio's (${fioBlockBytes} bytes)`);
        const paths = some.map(({ path }) => path);
        return runFioRead(paths, whole, together.startAt_ms, together.signal, mode);
      }),
    },
  ];
}

type RunFio<Where> = (mode: FioMode, where: Where, options: Required<TogetherOptions>) => Promise<FioResult>;

function fioEntry<Where, Phase extends string>(
  row: { phase: Phase; label: string },
  bytes: number,
  fio: FioMode | string,
  run: RunFio<Where>,
) {
  return {
    row: { id: 'fio', kind: 'limit' as const, ...row },
    missing: typeof fio === 'string' ? fio : undefined,
    bytes,
    run: async (where: Where, options: Required<TogetherOptions>): Promise<Outcome> => {
      const mode = fio as FioMode;
      const { bytes: moved, seconds, cpuSeconds } = await run(mode, where, options);
      const startedAt = new Date(Date.now() - seconds * 1000).toISOString();
      return { sample: togetherSample([{ bytes: moved, seconds, cpuSeconds }], startedAt), how: mode.how };
    },
  };
}

/** How fast memory is copied: what gathering a checkpoint cannot beat. */
export function copyLimits({ spec }: BenchSettings): CopyEntry[] {
  const bytes = Math.min(copyBytesMax, describeWorkload(spec).bytes);
  return [...new Set([1, copyThreads])].map((threads) => ({
    row: { id: `memcpy-${threads}`, kind: 'limit', phase: 'copy', label: `memcpy, ${threads === 1 ? '1 thread' : `${threads} threads`}` },
    bytes,
    run: (_, options) => probe([{ kind: 'copy', bytes, threads }], options),
  }));
}
