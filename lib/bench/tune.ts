/** Finds the options of a writer that suit a target, by saving there over and over. */
import { availableParallelism } from 'node:os';
import { sizeIn } from '../cli/text.js';
import { performanceDefaults } from '../options/performance.js';
import { describeMachine, versions } from './machine.js';
import type { Place, Room } from './place.js';
import { timeIn } from './report/units.js';
import type { TuneResult } from './result.js';
import { runSave } from './save.js';
import { describeTarget } from './target.js';
import { tuneFindings } from './tune_findings.js';
import type { Axis, Writer } from './tune_points.js';
import { search, trialsMost, type SearchResult, type TuneTrial } from './tune_search.js';
import { axesOf, type AxisName, type Space } from './tune_space.js';
import { describeWorkload, workloadTensors, type WorkloadSpec } from './workload.js';

export interface TuneSettings {
  readonly directory: string;
  readonly spec: WorkloadSpec;
  readonly axes: readonly AxisName[];
  /** Where it is not the default: the memory that the writer will have. */
  readonly stagingBytes?: number | undefined;
  /** Rounds of each axis, and of the confirmation. */
  readonly repeat: number;
  readonly restSeconds: number;
  readonly limitSeconds: number;
  /** How it was called. */
  readonly command: readonly string[];
}

export interface TuneSurroundings {
  readonly place: Place;
  readonly signal: AbortSignal;
  /** Is told of each trial that begins. */
  readonly watch: (trial: TuneTrial) => void;
}

/** What it is going to cost, at most. */
export interface TunePlan {
  readonly trials: number;
  readonly trialBytes: number;
  readonly room: Room;
}

interface Saved {
  readonly sample: { bytes: number; seconds: number; pauseSeconds?: number; cpuSeconds: number };
  /** Engine, direct or not, and why not. */
  readonly how: string;
}

/** Not counted: the first saves meet cold code, and a device that has rested for long. The last tells what it can. */
const warmups = 2;
/** Of a process with nothing to save. */
const processBytes = 200 * 2 ** 20;

export function planTune(settings: TuneSettings): TunePlan {
  const { spec, axes, repeat, stagingBytes = performanceDefaults.stagingBytes } = settings;
  const { bytes } = describeWorkload(spec);
  const most = axesOf(axes, spaceOf(settings, 'io_uring', true));
  const memoryBytes = bytes + spec.ranks * (stagingBytes + processBytes);
  return { trials: warmups + trialsMost(most, repeat), trialBytes: bytes, room: { outputBytes: bytes, memoryBytes } };
}

/** @throws {SnapshardError} as the writer does */
export async function tune(settings: TuneSettings, surroundings: TuneSurroundings): Promise<TuneResult> {
  const createdAt = new Date().toISOString();
  const target = await describeTarget(settings.directory);
  const axes = await openAxes(settings, surroundings);
  const { repeat, limitSeconds, spec } = settings;
  const found = await search({
    axes,
    repeat,
    limitSeconds,
    seed: spec.seed,
    now_ms: () => performance.now(),
    measure: async (trial) => {
      surroundings.watch(trial);
      return (await save(settings, surroundings, trial.point.writer)).sample;
    },
  });
  return { format: 'snapshard-tune-1', createdAt, ...conditionsOf(settings), target, ...toldSearch(settings, axes, found) };
}

function conditionsOf({ spec, command }: TuneSettings): Pick<TuneResult, 'command' | 'versions' | 'machine' | 'workload'> {
  return { command: [...command], versions: versions(), machine: describeMachine(), workload: describeWorkload(spec) };
}

function toldSearch(settings: TuneSettings, axes: readonly Axis[], found: SearchResult): Pick<TuneResult, 'settings' | 'points' | 'chosen' | 'findings'> {
  const { repeat, restSeconds } = settings;
  const single = settings.axes.filter((name) => !axes.some((axis) => axis.name === name));
  const measured = found.points.filter(({ samples }) => samples.length > 0);
  return {
    settings: { repeat, restSeconds },
    points: measured.map(({ axis, label, writer, samples }) => ({ axis, label, writer: withMemory(settings, writer), samples })),
    chosen: withMemory(settings, found.chosen),
    findings: tuneFindings(found, repeat, single),
  };
}

/** Saves with the defaults first, to see what can be varied here. */
async function openAxes(settings: TuneSettings, surroundings: TuneSurroundings): Promise<Axis[]> {
  let how = '';
  for (let index = 0; index < warmups; index++) ({ how } = await save(settings, surroundings, {}));
  const engine = how.startsWith('io_uring') ? 'io_uring' : 'pwrite';
  return axesOf(settings.axes, spaceOf(settings, engine, !how.includes('direct no')));
}

function spaceOf({ spec, stagingBytes }: TuneSettings, engine: Space['engine'], direct: boolean): Space {
  const ranks = Array.from({ length: spec.ranks }, (_, rank) => workloadTensors(spec, rank).map(({ bytes }) => bytes));
  const rankBytes = Math.max(...ranks.map((sizes) => sizes.reduce((sum, bytes) => sum + bytes, 0)));
  const tensorBytes = Math.max(...ranks.flat());
  const memory = stagingBytes ?? performanceDefaults.stagingBytes;
  return { stagingBytes: memory, cores: availableParallelism(), rankBytes, tensorBytes, engine, direct };
}

async function save(settings: TuneSettings, { place, signal }: TuneSurroundings, writer: Writer): Promise<Saved> {
  return place.use('tune', async (folder, startAt_ms) => {
    const trial = { spec: settings.spec, folder, writer: withMemory(settings, writer) };
    const { samples, how } = await runSave(trial, { signal, startAt_ms });
    const { bytes, seconds, pauseSeconds, cpuSeconds } = samples[0]!;
    return { sample: { bytes, seconds, cpuSeconds, ...(pauseSeconds !== undefined && { pauseSeconds }) }, how };
  });
}

function withMemory({ stagingBytes }: TuneSettings, writer: Writer): Writer {
  return stagingBytes === undefined || stagingBytes === performanceDefaults.stagingBytes ? writer : { stagingBytes, ...writer };
}

/** Where nothing is known yet: for a process to start; bytes per second that are made, and saved. */
const guessed = { startSeconds: 1.5, rate: 1e9 };

/** Says what it is going to cost. */
export function planText({ trials, trialBytes }: TunePlan, { directory, limitSeconds, restSeconds }: TuneSettings): string {
  const guess = trials * (guessed.startSeconds + Math.max(restSeconds, trialBytes / guessed.rate) + trialBytes / guessed.rate);
  const whole = `takes about ${timeIn(Math.ceil(guess))} at 1 GB/s`;
  const limit = `what does not fit into ${timeIn(limitSeconds)} (--within) is left out`;
  return (
    `writes at most ${trials} times ${sizeIn(trialBytes)} to ${directory}, ${sizeIn(trials * trialBytes)} in all, one after ` +
    `the other, in a folder of its own that it removes; ${whole}, and ${limit}`
  );
}
