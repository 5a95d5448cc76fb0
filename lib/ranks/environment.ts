import { invalid } from '../options/validate.js';
import { invalidArgument } from '../tensor/describe.js';
import { type Claim, combine, type Fact, factOf, launchersOf, passBoth, readClaim, worldSizeLimit } from './claims.js';
import type { Environment } from './launchers.js';

const runIdLimit = 1000;

export interface RankOptions {
  readonly rank?: number | undefined;
  readonly worldSize?: number | undefined;
  readonly runId?: string | undefined;
}

/** Which of how many a process is. */
export interface ResolvedRank {
  /** From 0. */
  readonly rank: number;
  readonly worldSize: number;
  /** Equal on all ranks of the run; never `undefined` where `worldSize` is more than 1. */
  readonly runId: string | undefined;
  /** Whether the launcher says that the ranks are on more than one host; `false` also where nothing is known. */
  readonly severalHosts: boolean;
  /** Who said which rank this is, for messages. */
  readonly source: string;
}

/**
 * Which rank this process is: the options, and what they leave out, the environment that its launcher made; rank 0 of 1
 * where neither says anything. Nothing is guessed: all that is said must agree.
 * @param environment not looked at for rank and world size where both are given, nor for the run id where that is
 * @throws {SnapshardError} `ERR_SNAPSHARD_RANKS_DISAGREE` where two sources say different things;
 *   `ERR_SNAPSHARD_INVALID_ARGUMENT` where one says something impossible, or something is missing
 */
export function resolveRank(options: RankOptions, environment: Environment = process.env): ResolvedRank {
  checkOptions(options);
  const { rank, worldSize, runId } = options;
  const place =
    rank !== undefined && worldSize !== undefined
      ? { rank, worldSize, severalHosts: false, source: 'the options' }
      : placeOf(options, environment);
  if (place.rank >= place.worldSize) {
    const said = `Rank ${place.rank} of ${place.worldSize} (${place.source}) cannot be`;
    throw invalid(`${said}: the last one is ${place.worldSize - 1}. ${passBoth}`);
  }
  return { ...place, runId: runId ?? (place.worldSize === 1 ? undefined : runIdOf(environment, place.worldSize)) };
}

function checkOptions({ rank, worldSize, runId }: RankOptions): void {
  if (rank !== undefined && !isIntegerWithin(rank, 0, worldSizeLimit - 1)) {
    throw invalidArgument('`rank`', `an integer from 0 to ${worldSizeLimit - 1}`, rank);
  }
  if (worldSize !== undefined && !isIntegerWithin(worldSize, 1, worldSizeLimit)) {
    throw invalidArgument('`worldSize`', `an integer from 1 to ${worldSizeLimit}`, worldSize);
  }
  if (runId !== undefined && !(typeof runId === 'string' && runId !== '' && runId.length <= runIdLimit)) {
    throw invalidArgument('`runId`', `a string of 1 to ${runIdLimit} characters`, runId);
  }
}

function isIntegerWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function placeOf(options: RankOptions, environment: Environment): Omit<ResolvedRank, 'runId'> {
  const claims = launchersOf(environment).map((launcher) => readClaim(launcher, environment));
  if (options.rank !== undefined || options.worldSize !== undefined) claims.unshift(optionsClaim(options));
  if (claims.length === 0) {
    refuseBatchScript(environment);
    return { rank: 0, worldSize: 1, severalHosts: false, source: 'no launcher' };
  }
  return {
    ...combine(claims),
    severalHosts: claims.some(({ severalHosts }) => severalHosts),
    source: claims.map(({ source }) => source).join(' and '),
  };
}

function optionsClaim({ rank, worldSize }: RankOptions): Claim {
  const fact = (name: string, value: number | undefined): Fact | undefined =>
    value === undefined ? undefined : { text: `\`${name}\` ${value}`, value };
  const facts = { rank: fact('rank', rank), worldSize: fact('worldSize', worldSize) };
  return { source: 'the options', ...facts, severalHosts: false };
}

/** The script of a job of several tasks forgot srun, or starts its ranks in its own way: it is not rank 0 of 1. */
function refuseBatchScript(environment: Environment): void {
  const tasks = factOf(environment, 'SLURM_NTASKS', 1);
  if (tasks === undefined || tasks.value === 1) return;
  throw invalid(
    `This Slurm job has several tasks (${tasks.text}), but this process is none of them: it runs in the batch script ` +
      `or shell of the job. Start it with srun. Or: ${passBoth}`,
  );
}

function runIdOf(environment: Environment, worldSize: number): string {
  const found = launchersOf(environment);
  const runId = found.map((launcher) => launcher.runId?.(environment)).find((id) => id !== undefined);
  if (runId !== undefined) return runId;
  const needed = `${worldSize} ranks need the id of their run: the same on all of them, and of no other run.`;
  const remedies = found.flatMap(({ runIdRemedy }) => runIdRemedy ?? []);
  throw invalid([needed, ...remedies, 'Pass `runId` to CheckpointWriter.open.'].join(' '));
}
