import { execFileSync } from 'node:child_process';
import { findings } from './findings.js';
import { fioMissing, fioMode, type FioMode } from './fio.js';
import { jobMeaning } from './job.js';
import { copyLimits, readLimits, saveLimits } from './limits.js';
import { describeMachine, versions } from './machine.js';
import { ownReads, ownSave, scheduledSave } from './own.js';
import type { PythonCheck } from './python.js';
import type { BenchResult } from './result.js';
import { needPython, rivalEntries } from './rivals.js';
import type { Room } from './room.js';
import { entriesOf, runRounds, type Plan, type Surroundings } from './rounds.js';
import type { BenchSettings } from './settings.js';
import { describeTarget } from './target.js';
import { describeWorkload } from './workload.js';

/**
 * Who runs against whom.
 * @param fio how fio is driven, or why it is not; without it, whether it is there
 */
export function makePlan(settings: BenchSettings, check: PythonCheck | undefined, fio?: FioMode | string): Plan {
  const { part, limits, rivals, spec, python, intervalSeconds, repeat, warmup } = settings;
  const mode = fio ?? fioMissing() ?? { how: '', options: [] };
  const readsOnly = part === 'restore';
  return {
    own: ownSave(settings),
    saves: readsOnly
      ? []
      : [...(limits ? saveLimits(settings, mode) : []), ...rivalEntries(rivals, { spec, python, check })],
    reads: part === 'save' ? [] : [...ownReads(settings), ...(limits ? readLimits(settings, mode) : [])],
    copies: limits && !readsOnly ? copyLimits(settings) : [],
    scheduled: intervalSeconds === undefined ? undefined : scheduledSave(settings, intervalSeconds),
    readsOnly,
    repeat,
    warmup,
  };
}

/** What a run takes, known before it begins. */
export interface Cost {
  /** Written to the target in all, one after the other. */
  readonly writtenBytes: number;
  /** Moved by all trials, reading and copying included. */
  readonly movedBytes: number;
  readonly room: Room;
  /** At one gigabyte a second. */
  readonly seconds: number;
}

const guessedRate = 1e9;
/** For a process to start, and to make what it saves. */
const startSeconds = 1.5;
const madeRate = 1e9;
const nodeBytes = 2 ** 28;
const pythonBytes = 2 ** 30;
/** What Orbax and the Hugging Face writer hold besides the tensors themselves. */
const pythonCopies = 1.5;
/** The last two, and the one that is being written. */
const scheduledSteps = 3;

export function costOf(plan: Plan, settings: BenchSettings): Cost {
  const { bytes, ranks } = describeWorkload(settings.spec);
  const rounds = plan.repeat + plan.warmup;
  const runnable = entriesOf(plan).filter(({ missing, row }) => missing === undefined && row.id !== 'snapshard-scheduled');
  const saves = plan.readsOnly ? 1 : runnable.filter(({ row }) => row.phase === 'save').length * rounds;
  const scheduled = plan.scheduled?.bytes ?? 0;
  const movedBytes = (plan.readsOnly ? bytes : 0) + scheduled + runnable.reduce((sum, entry) => sum + entry.bytes, 0) * rounds;
  const trials = runnable.length * rounds;
  const { stagingBytes, queueDepth, blockBytes } = settings.writer;
  const own = bytes + ranks * (Math.max(stagingBytes, queueDepth * blockBytes) + nodeBytes);
  const python = needPython(settings.rivals) && !plan.readsOnly ? bytes * (1 + pythonCopies) + ranks * pythonBytes : 0;
  return {
    writtenBytes: saves * bytes + scheduled,
    movedBytes,
    room: {
      outputBytes: bytes * (plan.scheduled === undefined ? 1 : scheduledSteps),
      memoryBytes: Math.max(own, python),
    },
    seconds: movedBytes / guessedRate + trials * (startSeconds + settings.restSeconds + bytes / madeRate) + scheduleSeconds(settings),
  };
}

function scheduleSeconds({ intervalSeconds = 0, repeat, warmup }: BenchSettings): number {
  return intervalSeconds * (repeat + warmup);
}

/**
 * Runs everything, in a place that there is room in.
 * @throws {SnapshardError} what made one of our own trials fail
 */
export async function runBench(
  settings: BenchSettings,
  check: PythonCheck | undefined,
  surroundings: Surroundings,
): Promise<BenchResult> {
  const { place, signal } = surroundings;
  const createdAt = new Date().toISOString();
  const target = await describeTarget(settings.directory);
  const fio = settings.limits ? (fioMissing() ?? (await fioMode(place.root, signal))) : undefined;
  const rows = await runRounds(makePlan(settings, check, fio), surroundings);
  const meaning = settings.job && jobMeaning(settings.job, rows, settings.writer.stagingBytes);
  const { repeat, warmup, restSeconds, intervalSeconds, command } = settings;
  const measured = {
    format: 'snapshard-bench-1' as const,
    createdAt,
    command: [...command],
    versions: { ...versions(), ...check?.versions, ...(typeof fio === 'object' && { fio: fioVersion() }) },
    machine: describeMachine(),
    target,
    workload: describeWorkload(settings.spec),
    settings: { repeat, warmup, restSeconds, ...(intervalSeconds !== undefined && { intervalSeconds }), writer: { ...settings.writer } },
    rows,
    ...(meaning && { meaning }),
  };
  return { ...measured, findings: findings(measured) };
}

function fioVersion(): string {
  return execFileSync('fio', ['--version'], { encoding: 'utf8' }).trim().replace(/^fio-/, '');
}
