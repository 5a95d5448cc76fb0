import { describe, expect, it } from 'vitest';
import { findings, type MeasuredResult } from '../../lib/bench/findings.js';
import type { Phase, Row, Sample, TraceRecord } from '../../lib/bench/result.js';

const GiB = 2 ** 30;
const bytes = 4 * GiB;

interface RowParts {
  id?: string;
  kind?: Row['kind'];
  phase?: Phase;
  label?: string;
  how?: string;
  /** 10^9 bytes a second, one for each round. */
  rates: readonly number[];
  writtenShare?: number;
  pauseShare?: number;
  cachedShare?: number;
  trace?: TraceRecord;
  /** Of each rank, over that of the slowest. */
  rankRates?: readonly number[];
}

function rowOf(parts: RowParts): Row {
  const { id = 'snapshard', kind = 'ours', phase = 'save', label = id, how = 'io_uring, direct yes', rates } = parts;
  return { id, kind, phase, label, how, samples: rates.map((rate, round) => sampleOf(parts, rate, round)) };
}

function sampleOf({ writtenShare = 0.98, pauseShare = 0.1, cachedShare, trace, rankRates = [1] }: RowParts, rate: number, round: number): Sample {
  const seconds = bytes / rate / 1e9;
  const ranks = rankRates.map((share) => ({
    bytes: bytes / rankRates.length,
    seconds: seconds / share,
    cpuSeconds: 1,
    ...(trace && { trace }),
  }));
  const times = { seconds, writtenSeconds: seconds * writtenShare, pauseSeconds: seconds * pauseShare };
  const cached = cachedShare === undefined ? {} : { cachedBytes: cachedShare * bytes };
  return { round, startedAt: '2026-11-21T12:00:00.000Z', bytes, ...times, ...cached, cpuSeconds: 1, ranks };
}

const raw = rowOf({ id: 'raw', kind: 'limit', label: 'raw direct writes', rates: [2, 2, 2] });

function resultOf(rows: Row[], { fileSystem = 'ext4', threads = 2, cores = 8, intervalSeconds = undefined as number | undefined } = {}): MeasuredResult {
  return {
    format: 'snapshard-bench-1',
    createdAt: '2026-11-21T12:00:00.000Z',
    command: [],
    versions: {},
    machine: { cpu: 'a processor', cores, memoryBytes: 64 * GiB, kernel: '6.18' },
    target: { path: '/mnt/x', fileSystem, source: 'x', mountOptions: [], totalBytes: 1, freeBytes: 1, remarks: [] },
    workload: { label: 'x', seed: 1, ranks: 1, bytes, tensors: 1, mix: [] },
    settings: {
      repeat: 3,
      warmup: 0,
      restSeconds: 0,
      ...(intervalSeconds !== undefined && { intervalSeconds }),
      writer: { threads, stagingBytes: 8 * GiB },
    },
    rows,
  };
}

const blocks = 64;
const threads = 2;

/** Two threads that gather one block after another for a second: these shares of their time they copy and hash. */
function busyTrace(copyShare: number, hashShare: number): TraceRecord {
  const each = threads / blocks;
  const column = (value: (index: number) => number): number[] => Array.from({ length: blocks }, (_, index) => value(index));
  const begins = column((index) => Math.floor(index / threads) * each);
  return {
    startedAt_ms: 0,
    files: ['model-00001-of-00001.safetensors'],
    file: column(() => 0),
    offset: column((index) => index * 2 ** 22),
    bytes: column(() => 2 ** 22),
    thread: column((index) => index % threads),
    gatherStartSeconds: begins,
    gatherEndSeconds: begins.map((begin) => begin + each),
    copySeconds: column(() => each * copyShare),
    hashSeconds: column(() => each * hashShare),
    queuedSeconds: begins.map((begin) => begin + each),
    submittedSeconds: begins.map((begin) => begin + each),
    completedSeconds: begins.map((begin) => begin + each),
    stagedSeconds: 1,
    writtenSeconds: 1,
    durableSeconds: 1,
    publishedSeconds: 1,
  };
}

describe('what limits a save', () => {
  it('is the device at 0.92 of what it can do and above, and says what to change', () => {
    const [first] = findings(resultOf([raw, rowOf({ rates: [1.84, 1.9, 1.86] })]));
    expect(first).toMatch(/^The device is the limit: saves reach 1\.86 GB\/s, 93 % of the 2\.00 GB\/s of raw direct writes;/);
  });

  it('is the way to the server on NFS', () => {
    const [first] = findings(resultOf([raw, rowOf({ rates: [1.9, 1.9, 1.9] })], { fileSystem: 'nfs4' }));
    expect(first).toMatch(/^The path to the server is the limit: .*nconnect/);
  });

  it('is the device only from 0.92 on', () => {
    const [first] = findings(resultOf([raw, rowOf({ rates: [1.82, 1.82, 1.82] })]));
    expect(first).not.toMatch(/is the limit/);
    expect(first).toMatch(/^Saves reach 1\.82 GB\/s, 91 % .* snapshard tune \/mnt\/x/);
  });

  it('is the page cache where writes are not direct, with the reason', () => {
    const how = 'io_uring, direct no (btrfs with checksums)';
    expect(findings(resultOf([raw, rowOf({ rates: [1], how })]))[0]).toMatch(/^Saves go through the page cache \(btrfs with checksums\)/);
  });

  it("is the server's COMMIT on NFS, and the cache of a disk, where syncing takes long", () => {
    const row = rowOf({ rates: [1, 1, 1], writtenShare: 0.6 });
    expect(findings(resultOf([raw, row], { fileSystem: 'nfs4' }))[0]).toMatch(/^Syncing takes 40 % of a save, .*COMMIT/);
    expect(findings(resultOf([raw, row]))[0]).toMatch(/^Syncing takes 40 % of a save, .*cache of the device.*power-loss/);
  });

  it('is the processor where the stager threads never waited', () => {
    const row = rowOf({ rates: [1], trace: busyTrace(0.45, 0.5) });
    expect(findings(resultOf([raw, row]))[0]).toMatch(/^The processor is the limit: the 2 stager threads .* 95 % of the time, .*--threads 4/);
    expect(findings(resultOf([raw, row], { cores: 2 }))[0]).toMatch(/all 2 cores are taken/);
  });

  it('is copying memory where that took most of their time', () => {
    const row = rowOf({ rates: [1], trace: busyTrace(0.85, 0.1) });
    expect(findings(resultOf([raw, row]))[0]).toMatch(/^Copying memory is the limit: .*inPlace/);
  });

  it('is not the processor where they waited', () => {
    const row = rowOf({ rates: [1], trace: busyTrace(0.4, 0.4) });
    expect(findings(resultOf([raw, row]))[0]).toMatch(/^Saves reach 1\.00 GB\/s, 50 %/);
  });

  it('is the lack of io_uring where the kernel denies it', () => {
    const row = rowOf({ rates: [1], how: 'pwrite, direct yes (kernel.io_uring_disabled is 2)' });
    expect(findings(resultOf([raw, row]))[0]).toMatch(/^Writes go out by threads and pwrite, not io_uring: kernel\.io_uring_disabled is 2;/);
  });

  it('is not told from saves that are too short', () => {
    const row = rowOf({ rates: [100, 100, 100] });
    const fast = rowOf({ id: 'raw', kind: 'limit', rates: [200, 200, 200] });
    expect(findings(resultOf([fast, row]))[0]).toMatch(/too short to tell/);
  });

  it('is not guessed without a limit to go by', () => {
    expect(findings(resultOf([rowOf({ rates: [1] })]))).toEqual([]);
  });
});

describe('what else is told', () => {
  const steady = rowOf({ rates: [1.9, 1.9, 1.9] });

  it('is that the slowest rank holds up the others', () => {
    const row = rowOf({ rates: [1.9, 1.9, 1.9], rankRates: [1, 1.4] });
    expect(findings(resultOf([raw, row])).join('\n')).toMatch(/^Ranks wait for the slowest: .*rank 0 in 3 of 3 rounds/m);
    const even = rowOf({ rates: [1.9, 1.9, 1.9], rankRates: [1, 1.1] });
    expect(findings(resultOf([raw, even])).join('\n')).not.toMatch(/Ranks wait/);
  });

  it('is that a schedule gets less than a lone save', () => {
    const scheduled = (rates: number[]): Row => rowOf({ id: 'snapshard-scheduled', label: 'every 30 s', rates });
    const told = findings(resultOf([raw, steady, scheduled([1.9, 0.8, 0.7])], { intervalSeconds: 30 })).join('\n');
    expect(told).toMatch(/^A burst hides the rate that lasts: .* 1\.90 GB\/s, .* 0\.80 GB\/s/m);
    const fine = findings(resultOf([raw, steady, scheduled([1.9, 1.8, 1.7])], { intervalSeconds: 30 })).join('\n');
    expect(fine).not.toMatch(/burst/);
    const late = findings(resultOf([raw, steady, scheduled([0.5, 0.1, 0.1])], { intervalSeconds: 30 })).join('\n');
    expect(late).toMatch(/^2 of 3 saves took longer than the interval of 30 s/m);
  });

  it('is that cold was not cold', () => {
    const cold = (cachedShare: number): Row => rowOf({ phase: 'restore cold', rates: [2], cachedShare });
    expect(findings(resultOf([raw, steady, cold(0.7)])).join('\n')).toMatch(/^Cold restores were not cold: 70 %/m);
    expect(findings(resultOf([raw, steady, cold(0)])).join('\n')).not.toMatch(/not cold/);
  });

  it('is that the target is not steady', () => {
    const jumpy = rowOf({ rates: [1.9, 1.9, 0.9] });
    expect(findings(resultOf([raw, jumpy])).join('\n')).toMatch(/^The target is not steady: equal saves got 0\.90 to 1\.90 GB\/s/m);
  });

  it('is what staging memory would do for the pause', () => {
    const row = rowOf({ rates: [1.9, 1.9, 1.9], pauseShare: 0.8 });
    const result = resultOf([raw, row]);
    expect(findings(result).join('\n')).not.toMatch(/stands still/);
    const small = { ...result, settings: { ...result.settings, writer: { threads: 2, stagingBytes: GiB } } };
    expect(findings(small).join('\n')).toMatch(/^Training stands still for 1\.81 s of a save, since 4 GiB do not fit in 1 GiB/m);
  });

  it('is three sentences at most', () => {
    const row = rowOf({ rates: [1.9, 1.9, 0.9], rankRates: [1, 1.5], pauseShare: 0.9 });
    const restore = rowOf({ phase: 'restore cold', rates: [1], cachedShare: 1 });
    const rival = rowOf({ id: 'torch.save', kind: 'rival', rates: [1] });
    const told = findings(resultOf([raw, row, restore, rival]));
    expect(told).toHaveLength(3);
    for (const sentence of told) expect(sentence).toMatch(/^[A-Z0-9].*\.$/);
  });

  it('names the fastest of the others where there is room for it', () => {
    const rivals = [rowOf({ id: 'torch.save', kind: 'rival', rates: [0.5] }), rowOf({ id: 'safetensors', kind: 'rival', rates: [0.95] })];
    expect(findings(resultOf([raw, steady, ...rivals])).at(-1)).toMatch(/safetensors is the fastest: 0\.95 GB\/s, 0\.50 of/);
  });
});
