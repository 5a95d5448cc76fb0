/**
 * Traces as Perfetto and chrome://tracing open them: "Trace Event Format" by Nat Duca and Dan Sinclair,
 * https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU, as a JSON object.
 */
import type { BenchResult } from '../../result.js';
import { blockEvents } from './block_events.js';
import { counterEvents } from './counter_events.js';
import { completeEvent, deviceLanes, nanoseconds, phaseLane, threadLanes, type TraceEvent } from './events.js';
import { slowestRank, tracedSaves, type RankTrace, type TracedSave } from './saves.js';
import { throughputOf } from './throughput.js';

/** Beyond, viewers and strings reach their limits; whole rounds are left out, and named. */
const eventsMax = 1_500_000;
const pauseSeconds = 0.1;

function phaseEvents({ rank, trace }: RankTrace, round: number, at: number): TraceEvent[] {
  const { stagedSeconds, writtenSeconds, durableSeconds, publishedSeconds } = trace;
  const phases = [
    [`save, round ${round}`, 0, publishedSeconds],
    ['write', 0, writtenSeconds],
    ['sync', writtenSeconds, durableSeconds],
    ['publish', durableSeconds, publishedSeconds],
  ] as const;
  const slices = phases.flatMap(([name, from, to]) =>
    to < from ? [] : [completeEvent({ name, cat: 'phase', pid: rank, tid: phaseLane, start: at + from, end: at + to })],
  );
  const staged: TraceEvent = {
    name: 'staged',
    cat: 'phase',
    ph: 'i',
    s: 'p',
    pid: rank,
    tid: phaseLane,
    ts: nanoseconds(at + stagedSeconds) / 1000,
  };
  return [...slices, staged];
}

/** Names of processes and lanes, and their order from top to bottom. */
function nameEvents(events: readonly TraceEvent[]): TraceEvent[] {
  const lanes = new Map(events.filter(({ ph }) => ph === 'X').map(({ pid, tid }) => [`${pid}/${tid}`, { pid, tid }]));
  const named = (name: string, pid: number, tid: number, args: TraceEvent['args']): TraceEvent => ({
    name,
    ph: 'M',
    pid,
    tid,
    ts: 0,
    args: args!,
  });
  const ranks = [...new Set(events.map(({ pid }) => pid))].flatMap((rank) => [
    named('process_name', rank, 0, { name: `rank ${rank}` }),
    named('process_sort_index', rank, 0, { sort_index: rank }),
  ]);
  return [
    ...ranks,
    ...[...lanes.values()].flatMap(({ pid, tid }) => [
      named('thread_name', pid, tid, { name: laneName(tid) }),
      named('thread_sort_index', pid, tid, { sort_index: tid }),
    ]),
  ];
}

function laneName(lane: number): string {
  if (lane === phaseLane) return 'phases';
  return lane < deviceLanes ? `stager ${lane - threadLanes}` : `device queue ${lane - deviceLanes}`;
}

function saveEvents(save: TracedSave, at: number): TraceEvent[] {
  const throughput = throughputOf(save);
  return save.ranks.flatMap((rank, index) => {
    const from = at + rank.startSeconds;
    const rates = { values: throughput.ranks[index]!, binSeconds: throughput.binSeconds, at };
    return [...phaseEvents(rank, save.round, from), ...blockEvents(rank, from), ...counterEvents(rank, from, rates)];
  });
}

/**
 * All traced saves of a result, one round after another, 0.1 s apart. A process for each rank; in it a lane for the
 * phases, one for each stager thread (`args`: how long it copied and hashed), and as many for the device queue as
 * requests lay in it at once: Perfetto draws no overlapping slices of one lane (https://perfetto.dev/docs/faq). Tracks
 * count the bytes in flight, and 10^9 bytes completed a second.
 */
export function chromeTrace(result: BenchResult): string {
  const events: TraceEvent[] = [];
  const leftOut: number[] = [];
  const rounds: Record<string, { startedAt: string; slowestRank: number }> = {};
  let at = 0;
  for (const save of tracedSaves(result)) {
    const ofSave = saveEvents(save, at);
    if (events.length > 0 && events.length + ofSave.length > eventsMax) {
      leftOut.push(save.round);
      continue;
    }
    for (const event of ofSave) events.push(event);
    rounds[`${save.label}, round ${save.round}`] = { startedAt: save.startedAt, slowestRank: slowestRank(save).rank };
    at += save.seconds + pauseSeconds;
  }
  const { versions, target, workload } = result;
  const otherData = { versions, path: target.path, workload: workload.label, rounds, leftOut };
  return textOf([...nameEvents(events), ...events], otherData);
}

/** An event a line: the file can be looked at, and no string but the whole one is long. */
function textOf(events: readonly TraceEvent[], otherData: object): string {
  const lines = events.map((event) => JSON.stringify(event)).join(',\n');
  return `{"displayTimeUnit":"ms","otherData":${JSON.stringify(otherData)},"traceEvents":[\n${lines}\n]}\n`;
}
