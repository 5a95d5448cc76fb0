import { lanesOf } from '../trace/lanes.js';
import { fullAt, slowestRank, type TracedSave } from '../trace/saves.js';

/** `lane, start, end, copied, hashed`: seconds, the last two of those between start and end; and the block's number. */
export type Gather = readonly [lane: number, start: number, end: number, copied: number, hashed: number, block: number];
/** A block from full to written: `lane, full, submitted, completed`, and its number. */
export type Request = readonly [lane: number, begun: number, submitted: number, completed: number, block: number];

/** The blocks of the rank that ended last. */
export interface Timeline {
  readonly rank: number;
  readonly blockBytes: number;
  /** Lanes of stager threads, from the top; the device queue's follow. */
  readonly threads: number;
  readonly depth: number;
  readonly gathers: readonly Gather[];
  readonly requests: readonly Request[];
  /** Of how many blocks these are a part: those around the longest time in which no block was completed. */
  readonly blocks: number;
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

const blocksMax = 1200;

const rounded = (seconds: number): number => Math.round(seconds * 1e6) / 1e6;

type Trace = TracedSave['ranks'][number]['trace'];

/** Blocks in the order of their completion: all, or those around the longest gap. */
function shownBlocks({ completedSeconds }: Trace): number[] {
  const order = completedSeconds
    .map((_, block) => block)
    .filter((block) => completedSeconds[block]! >= 0)
    .toSorted((left, right) => completedSeconds[left]! - completedSeconds[right]!);
  if (order.length <= blocksMax) return order;
  let longest = 1;
  const gap = (place: number): number => completedSeconds[order[place]!]! - completedSeconds[order[place - 1]!]!;
  for (let place = 1; place < order.length; place++) if (gap(place) > gap(longest)) longest = place;
  const from = Math.min(Math.max(0, longest - blocksMax / 2), order.length - blocksMax);
  return order.slice(from, from + blocksMax);
}

export function timelineOf(save: TracedSave): Timeline {
  const { rank, trace } = slowestRank(save);
  const shown = shownBlocks(trace).toSorted((left, right) => left - right);
  const begun = shown.map((block) => fullAt(trace, block));
  const lanes = lanesOf(shown.map((block, index) => ({ start: begun[index]!, end: trace.completedSeconds[block]! })));
  const threads = [...new Set(shown.map((block) => trace.thread[block]!))].toSorted((left, right) => left - right);
  const gathered = shown.filter(
    (block) => trace.gatherEndSeconds[block]! >= 0 && trace.gatherStartSeconds[block]! >= 0,
  );
  return {
    rank,
    blockBytes: trace.bytes.reduce((most, bytes) => Math.max(most, bytes), 0),
    threads: threads.length,
    depth: Math.max(0, ...lanes) + 1,
    gathers: gathered.map((block) => gatherOf(trace, block, threads)),
    requests: shown.map((block, index) => requestOf(trace, block, lanes[index]!, begun[index]!)),
    blocks: trace.bytes.length,
    fromSeconds: rounded(Math.min(...gathered.map((block) => trace.gatherStartSeconds[block]!), ...begun)),
    toSeconds: rounded(Math.max(...shown.map((block) => trace.completedSeconds[block]!))),
  };
}

function gatherOf(trace: Trace, block: number, threads: readonly number[]): Gather {
  const times = [trace.gatherStartSeconds, trace.gatherEndSeconds, trace.copySeconds, trace.hashSeconds];
  const [start = 0, end = 0, copied = 0, hashed = 0] = times.map((column) => rounded(Math.max(0, column[block]!)));
  return [threads.indexOf(trace.thread[block]!), start, end, copied, hashed, block];
}

function requestOf(trace: Trace, block: number, lane: number, begun: number): Request {
  return [
    lane,
    rounded(begun),
    rounded(trace.submittedSeconds[block]!),
    rounded(trace.completedSeconds[block]!),
    block,
  ];
}
