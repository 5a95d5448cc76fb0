/**
 * Traces as Perfetto and chrome://tracing open them: "Trace Event Format" by Nat Duca and Dan Sinclair,
 * https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU, as a JSON object.
 */
import type { BenchResult } from '../../result.js';
import { blockEvents } from './block_events.js';
import { counterEvents, type Rates } from './counter_events.js';
import { completeEvent, deviceLanes, microseconds, phaseLane, threadLanes, type TraceEvent } from './events.js';
import { slowestFirst, slowestRank, tracedSaves, type RankTrace, type TracedSave } from './saves.js';
import { throughputOf } from './throughput.js';

/** Beyond, viewers and strings reach their limits: further ranks are left out, and named. One rank is always there. */
const charactersMax = 200_000_000;
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
    ts: microseconds(at + stagedSeconds),
  };
  return [...slices, staged];
}

/** Names of processes and lanes, and their order from top to bottom. */
function nameEvents(lanes: ReadonlyMap<number, ReadonlySet<number>>): TraceEvent[] {
  const named = (name: string, pid: number, tid: number, args: Record<string, string | number>): TraceEvent => ({
    name,
    ph: 'M',
    pid,
    tid,
    ts: 0,
    args,
  });
  return [...lanes]
    .toSorted(([left], [right]) => left - right)
    .flatMap(([rank, ofRank]) => [
      named('process_name', rank, 0, { name: `rank ${rank}` }),
      named('process_sort_index', rank, 0, { sort_index: rank }),
      ...[...ofRank].flatMap((lane) => [
        named('thread_name', rank, lane, { name: laneName(lane) }),
        named('thread_sort_index', rank, lane, { sort_index: lane }),
      ]),
    ]);
}

function laneName(lane: number): string {
  if (lane === phaseLane) return 'phases';
  return lane < deviceLanes ? `stager ${lane - threadLanes}` : `device queue ${lane - deviceLanes}`;
}

function rankEvents(rank: RankTrace, save: TracedSave, rates: Rates): TraceEvent[] {
  const from = rates.at + rank.startSeconds;
  return [...phaseEvents(rank, save.round, from), ...blockEvents(rank, from), ...counterEvents(rank, from, rates)];
}

/** Events as they are written, one a line: kept as text, which is a fraction of what objects take. */
class EventText {
  readonly parts: string[] = [];
  /** Of each process, the lanes that it uses. */
  readonly lanes = new Map<number, Set<number>>();
  #characters = 0;

  /** Whether there was room. */
  add(events: readonly TraceEvent[]): boolean {
    const text = events.map((event) => JSON.stringify(event)).join(',\n');
    if (this.parts.length > 0 && this.#characters + text.length > charactersMax) return false;
    this.parts.push(text);
    this.#characters += text.length;
    for (const { ph, pid, tid } of events) {
      const lanes = this.lanes.get(pid) ?? new Set();
      if (ph === 'X') lanes.add(tid);
      this.lanes.set(pid, lanes);
    }
    return true;
  }
}

/**
 * All traced saves of a result, one round after another, 0.1 s apart. A process for each rank; in it a lane for the
 * phases, one for each stager thread (`args`: how long it copied and hashed), and as many for the device queue as
 * requests lay in it at once: Perfetto draws no overlapping slices of one lane (https://perfetto.dev/docs/faq). Tracks
 * count the bytes in flight, and 10^9 bytes completed a second. Beyond 200 MB ranks are left out, those that ended
 * first to begin with; `otherData` names them.
 */
export function chromeTrace(result: BenchResult): string {
  const text = new EventText();
  const leftOut: string[] = [];
  const rounds: Record<string, { startedAt: string; slowestRank: number }> = {};
  let at = 0;
  for (const save of tracedSaves(result)) {
    const name = `${save.label}, round ${save.round}`;
    const throughput = throughputOf(save);
    for (const rank of slowestFirst(save)) {
      const values = throughput.ranks[save.ranks.indexOf(rank)]!;
      const fits = text.add(rankEvents(rank, save, { values, binSeconds: throughput.binSeconds, at }));
      if (!fits) leftOut.push(`${name}, rank ${rank.rank}`);
    }
    rounds[name] = { startedAt: save.startedAt, slowestRank: slowestRank(save).rank };
    at += save.seconds + pauseSeconds;
  }
  const { versions, target, workload } = result;
  const names = nameEvents(text.lanes).map((event) => JSON.stringify(event));
  const otherData = JSON.stringify({ versions, path: target.path, workload: workload.label, rounds, leftOut });
  const events = [...names, ...text.parts].join(',\n');
  return `{"displayTimeUnit":"ms","otherData":${otherData},"traceEvents":[\n${events}\n]}\n`;
}
