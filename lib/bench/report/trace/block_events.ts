import { completeEvent, deviceLanes, microseconds, threadLanes, type TraceEvent } from './events.js';
import { lanesOf } from './lanes.js';
import { fullAt, type RankTrace } from './saves.js';

/** What the stager threads and the device did with each block; what a block never reached is left out. */
export function blockEvents({ rank, trace }: RankTrace, at: number): TraceEvent[] {
  const blocks = trace.bytes.map((_, block) => block);
  const sent = blocks.filter((block) => trace.submittedSeconds[block]! >= 0 && trace.completedSeconds[block]! >= 0);
  const begun = (block: number): number => fullAt(trace, block);
  const lanes = lanesOf(sent.map((block) => ({ start: begun(block), end: trace.completedSeconds[block]! })));
  return [
    ...blocks
      .filter((block) => trace.gatherEndSeconds[block]! >= 0)
      .map((block) => gatherEvent(rank, trace, block, at)),
    ...sent.flatMap((block, index) =>
      requestEvents(rank, trace, block, { at, begun: begun(block), lane: lanes[index]! }),
    ),
  ];
}

type Trace = RankTrace['trace'];

function argsOf(trace: Trace, block: number): Readonly<Record<string, string | number>> {
  return {
    block,
    file: trace.files[trace.file[block]!] ?? '',
    offset: trace.offset[block]!,
    bytes: trace.bytes[block]!,
  };
}

function gatherEvent(pid: number, trace: Trace, block: number, at: number): TraceEvent {
  return completeEvent({
    name: 'gather',
    cat: 'gather',
    pid,
    tid: threadLanes + trace.thread[block]!,
    start: at + Math.max(0, trace.gatherStartSeconds[block]!),
    end: at + trace.gatherEndSeconds[block]!,
    args: {
      ...argsOf(trace, block),
      copy_us: microseconds(trace.copySeconds[block]!),
      hash_us: microseconds(trace.hashSeconds[block]!),
    },
  });
}

/** A block from full to written, and within it how long it waited and how long the device had it. */
function requestEvents(
  pid: number,
  trace: Trace,
  block: number,
  place: { at: number; begun: number; lane: number },
): TraceEvent[] {
  const { at, begun, lane } = place;
  const submitted = trace.submittedSeconds[block]!;
  const slice = (name: string, start: number, end: number): TraceEvent =>
    completeEvent({
      name,
      cat: 'device',
      pid,
      tid: deviceLanes + lane,
      start: at + start,
      end: at + end,
      args: argsOf(trace, block),
    });
  const completed = trace.completedSeconds[block]!;
  const waits = slice('waits', begun, submitted);
  return [
    slice('block', begun, completed),
    ...(waits.dur === 0 ? [] : [waits]),
    slice('in flight', submitted, completed),
  ];
}
