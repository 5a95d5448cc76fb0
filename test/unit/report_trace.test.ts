import { describe, expect, it } from 'vitest';
import { chromeTrace } from '../../lib/bench/report/index.js';
import { lanesOf } from '../../lib/bench/report/trace/lanes.js';
import { tracedSaves } from '../../lib/bench/report/trace/saves.js';
import { throughputOf } from '../../lib/bench/report/trace/throughput.js';
import { saveCharts } from '../../lib/bench/report/charts/saves.js';
import type { BenchResult } from '../../lib/bench/result.js';
import { makeBench } from '../support/bench_fixture.js';
import { makeTrace, randomOf } from '../support/trace_fixture.js';

interface Event {
  name: string;
  ph: string;
  ts: number;
  dur?: number;
  pid: number;
  tid: number;
  s?: string;
  args?: Record<string, string | number>;
}

const eventsOf = (result: BenchResult): Event[] =>
  (JSON.parse(chromeTrace(result)) as { traceEvents: Event[] }).traceEvents;

const MiB = 2 ** 20;

const bench = makeBench({ rounds: 2, bytesPerRank: 256 * MiB });
const events = eventsOf(bench);

/** Slices of each lane, by their beginning; of two that begin together the longer first. */
function slicesByLane(): Map<string, { name: string; start: number; end: number }[]> {
  const lanes = new Map<string, { name: string; start: number; end: number }[]>();
  for (const { ph, pid, tid, name, ts, dur = 0 } of events) {
    if (ph !== 'X') continue;
    const lane = `${pid}/${tid}`;
    lanes.set(lane, [...(lanes.get(lane) ?? []), { name, start: ts, end: ts + dur }]);
  }
  for (const slices of lanes.values()) slices.sort((left, right) => left.start - right.start || right.end - left.end);
  return lanes;
}

describe('the trace file', () => {
  it('has the fields that the format demands of each kind of event', () => {
    expect(new Set(events.map(({ ph }) => ph))).toEqual(new Set(['X', 'M', 'C', 'i']));
    for (const event of events) {
      expect(typeof event.name).toBe('string');
      expect(
        [event.ts, event.pid, event.tid, event.dur ?? 0].every((value) => Number.isSafeInteger(value) && value >= 0),
      ).toBe(true);
      expect(event.dur === undefined).toBe(event.ph !== 'X');
      if (event.ph === 'C') expect(Object.values(event.args!).every((value) => typeof value === 'number')).toBe(true);
      if (event.ph === 'i') expect(['g', 'p', 't']).toContain(event.s);
      if (event.ph === 'M')
        expect(['process_name', 'process_sort_index', 'thread_name', 'thread_sort_index']).toContain(event.name);
    }
  });

  it('nests the slices of every lane: viewers draw no others', () => {
    const lanes = slicesByLane();
    expect(lanes.size).toBeGreaterThan(6);
    for (const slices of lanes.values()) {
      const open: number[] = [];
      for (const { start, end } of slices) {
        while (open.length > 0 && open.at(-1)! <= start) open.pop();
        if (open.length > 0) expect(end).toBeLessThanOrEqual(open.at(-1)!);
        open.push(end);
      }
    }
  });

  it('names a process for each rank, and every lane that it uses', () => {
    const named = (kind: string): Event[] => events.filter(({ ph, name }) => ph === 'M' && name === kind);
    expect(named('process_name').map(({ pid, args }) => [pid, args!.name])).toEqual([
      [0, 'rank 0'],
      [1, 'rank 1'],
    ]);
    const lanes = named('thread_name').map(({ pid, tid }) => `${pid}/${tid}`);
    expect(new Set(lanes)).toEqual(new Set(slicesByLane().keys()));
    const names = new Set(named('thread_name').map(({ args }) => args!.name));
    expect([...names]).toEqual(
      expect.arrayContaining(['phases', 'stager 0', 'stager 1', 'device queue 0', 'device queue 7']),
    );
  });

  it('has each block once in each of its stages, with what it held', () => {
    const blocks = tracedSaves(bench)
      .flatMap(({ ranks }) => ranks.map(({ trace }) => trace.bytes.length))
      .reduce((sum, count) => sum + count, 0);
    const count = (name: string): number => events.filter((event) => event.ph === 'X' && event.name === name).length;
    expect([count('gather'), count('in flight')]).toEqual([blocks, blocks]);
    const bytes = events
      .filter(({ name }) => name === 'in flight')
      .reduce((sum, { args }) => sum + Number(args!.bytes), 0);
    expect(bytes).toBe(blocks * 4 * MiB);
    const { args } = events.find(({ name }) => name === 'gather')!;
    expect(args).toMatchObject({ block: 0, file: 'model-00001-of-00001.safetensors', offset: 0 });
    expect(Number(args!.copy_us)).toBeGreaterThan(0);
  });

  it('counts in flight what was submitted and not completed: from nothing to nothing, never less', () => {
    for (const rank of [0, 1]) {
      const counts = events
        .filter(({ ph, name, pid }) => ph === 'C' && name === 'bytes in flight' && pid === rank)
        .map(({ args }) => Number(args!.bytes));
      expect(Math.min(...counts)).toBe(0);
      expect(Math.max(...counts)).toBe(8 * 4 * MiB);
      expect(counts.at(-1)).toBe(0);
    }
  });

  it('leaves out what a block never reached', () => {
    const result = makeBench({ rounds: 1, ranks: 1, bytesPerRank: 32 * MiB });
    const trace = result.rows.find(({ kind, phase }) => kind === 'ours' && phase === 'save')!.samples[0]!.ranks[0]!
      .trace!;
    trace.completedSeconds[3] = -1;
    trace.submittedSeconds[3] = -1;
    trace.queuedSeconds[3] = -1;
    const left = eventsOf(result);
    expect(left.filter(({ ph, name }) => ph === 'X' && name === 'in flight')).toHaveLength(7);
    expect(left.every(({ ts }) => ts >= 0)).toBe(true);
  });

  it('is a file also where nothing was traced', () => {
    expect(eventsOf({ ...bench, rows: [] })).toEqual([]);
  });
});

describe('lanes', () => {
  it('never overlap, and are as many as overlap at the most', () => {
    const random = randomOf(17);
    const spans = Array.from({ length: 400 }, () => {
      const start = Math.floor(random() * 500);
      return { start, end: start + 1 + Math.floor(random() * 20) };
    });
    const lanes = lanesOf(spans);
    const overlapping = spans.map((span, index) =>
      spans.filter(
        (other, place) =>
          place !== index && lanes[place] === lanes[index] && other.start < span.end && span.start < other.end,
      ),
    );
    expect(overlapping.flat()).toEqual([]);
    const most = Math.max(
      ...Array.from({ length: 520 }, (_, time) => spans.filter(({ start, end }) => start <= time && time < end).length),
    );
    expect(Math.max(...lanes) + 1).toBe(most);
  });
});

describe('throughput over time', () => {
  it('adds up to all bytes, for every rank and in all', () => {
    for (const save of tracedSaves(bench)) {
      const { total, ranks, binSeconds } = throughputOf(save);
      const bytes = (rates: readonly number[]): number =>
        Math.round(rates.reduce((sum, rate) => sum + rate * binSeconds * 1e9, 0));
      expect(ranks.map(bytes)).toEqual([256 * MiB, 256 * MiB]);
      expect(bytes(total)).toBe(512 * MiB);
    }
  });

  it('shows a stall as nothing, where it was and as long as it was', () => {
    const result = makeBench({ rounds: 1, ranks: 1 });
    const sample = result.rows.find(({ kind, phase }) => kind === 'ours' && phase === 'save')!.samples[0]!;
    sample.ranks[0]!.trace = makeTrace({ seed: 1, blocks: 512, rate: 2e9, stall: { atSeconds: 0.4, seconds: 0.3 } });
    const { total, binSeconds } = throughputOf(tracedSaves(result)[0]!);
    const empty = total.flatMap((rate, bin) => (rate === 0 && bin * binSeconds < 1 ? [bin * binSeconds] : []));
    expect(Math.min(...empty)).toBeCloseTo(0.4, 1);
    expect(empty.length * binSeconds).toBeGreaterThan(0.25);
    expect(empty.length * binSeconds).toBeLessThanOrEqual(0.3 + 1e-9);
  });

  it('is even where a device completes blocks in bursts', () => {
    const result = makeBench({ rounds: 1, ranks: 1 });
    const sample = result.rows.find(({ kind, phase }) => kind === 'ours' && phase === 'save')!.samples[0]!;
    const trace = makeTrace({ seed: 1, blocks: 512, rate: 2e9 });
    const burstSeconds = 0.032;
    trace.completedSeconds = trace.completedSeconds.map((seconds) => Math.ceil(seconds / burstSeconds) * burstSeconds);
    sample.ranks[0]!.trace = trace;
    const { total } = throughputOf(tracedSaves(result)[0]!);
    const whole = total.slice(1, 9);
    const mean = whole.reduce((sum, rate) => sum + rate, 0) / whole.length;
    for (const rate of whole) expect(Math.abs(rate / mean - 1)).toBeLessThan(0.35);
  });

  it('lines ranks up by when each was called', () => {
    const save = tracedSaves(bench)[0]!;
    expect(save.ranks.map(({ startSeconds }) => startSeconds)).toEqual([0, 0.003]);
  });
});

describe('the charts of a save', () => {
  it('begin with the median one, and name the slowest', () => {
    const names = saveCharts(makeBench({ bytesPerRank: 512 * MiB })).map(({ name }) => name);
    expect(names).toHaveLength(5);
    expect(names[0]).toMatch(/^round \d, the median$/);
    // Round 1 is the one that stalls.
    expect(names[1]).toBe('round 1, the slowest');
  });

  it('draw of many blocks those around the longest stall', () => {
    const result = makeBench({ rounds: 1, ranks: 1 });
    const sample = result.rows.find(({ kind, phase }) => kind === 'ours' && phase === 'save')!.samples[0]!;
    sample.ranks[0]!.trace = makeTrace({ seed: 1, blocks: 6000, rate: 4e9, stall: { atSeconds: 3, seconds: 1 } });
    const { timeline } = saveCharts(result)[0]!;
    expect([timeline.requests.length, timeline.blocks]).toEqual([1200, 6000]);
    expect(timeline.fromSeconds).toBeLessThan(3);
    expect(timeline.toSeconds).toBeGreaterThan(4);
  });
});
