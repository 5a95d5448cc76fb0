import { SnapshardError } from '../errors.js';
import { invalid } from '../options/validate.js';
import { quote } from '../tensor/describe.js';
import { type Environment, type Launcher, launchers, variable } from './launchers.js';

/** What five digits can number. */
export const worldSizeLimit = 99_999;
export const passBoth = 'Pass `rank` and `worldSize` to CheckpointWriter.open.';

/** A number, and the variable or option that it is from. */
export interface Fact {
  readonly text: string;
  readonly value: number;
}

/** What one source says of this process. */
export interface Claim {
  readonly source: string;
  readonly rank: Fact | undefined;
  readonly worldSize: Fact | undefined;
  readonly severalHosts: boolean;
  readonly halfRemedy?: string | undefined;
}

/** The launchers of which the environment bears traces, the innermost first. */
export function launchersOf(environment: Environment): readonly Launcher[] {
  return launchers.filter(({ concerns, rank, worldSize = rank }) => {
    const traces = variable(environment, rank) ?? variable(environment, worldSize);
    return traces !== undefined && (concerns === undefined || concerns(environment));
  });
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` for a variable that is no number of ranks or hosts */
export function readClaim(launcher: Launcher, environment: Environment): Claim {
  const worldSize = factOf(environment, launcher.worldSize, 1);
  const hosts = factOf(environment, launcher.hosts, 1)?.value ?? 1;
  const localSize = factOf(environment, launcher.localSize, 1)?.value ?? Infinity;
  return {
    source: launcher.name,
    rank: factOf(environment, launcher.rank, 0),
    worldSize,
    severalHosts: hosts > 1 || localSize < (worldSize?.value ?? 0),
    halfRemedy: launcher.halfRemedy,
  };
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function factOf(environment: Environment, name: string | undefined, least: number): Fact | undefined {
  const text = name === undefined ? undefined : variable(environment, name);
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= worldSizeLimit) return { text: `${name}=${text}`, value };
  const expected = `an integer from ${least} to ${worldSizeLimit}`;
  throw invalid(`The environment has ${name}=${quote(text)}, which is not ${expected}. ${passBoth}`);
}

/**
 * Rank and world size, put together from what several sources say.
 * @throws {SnapshardError} `ERR_SNAPSHARD_RANKS_DISAGREE` where they say different things;
 *   `ERR_SNAPSHARD_INVALID_ARGUMENT` where none says one of the two
 */
export function combine(claims: readonly Claim[]): { readonly rank: number; readonly worldSize: number } {
  const ranks = new Set(claims.flatMap((claim) => claim.rank?.value ?? []));
  const worldSizes = new Set(claims.flatMap((claim) => claim.worldSize?.value ?? []));
  if (ranks.size > 1 || worldSizes.size > 1) {
    const told = `This process is told different things about its rank: ${describeClaims(claims)}.`;
    throw new SnapshardError('ERR_SNAPSHARD_RANKS_DISAGREE', `${told} ${passBoth}`);
  }
  const [worldSize] = worldSizes;
  const [rank = worldSize === 1 ? 0 : undefined] = ranks;
  if (rank === undefined) throw half(claims, 'the rank');
  if (worldSize === undefined) throw half(claims, 'the world size');
  return { rank, worldSize };
}

function half(claims: readonly Claim[], missing: string): SnapshardError {
  const remedies = claims.flatMap(({ halfRemedy }) => halfRemedy ?? []);
  return invalid([`${describeClaims(claims)}, but nothing says ${missing}.`, passBoth, ...remedies].join(' '));
}

function describeClaims(claims: readonly Claim[]): string {
  const texts = claims.map(({ source, rank, worldSize }) => {
    const facts = [rank, worldSize].flatMap((fact) => fact?.text ?? []);
    return `${facts.join(', ')} (${source})`;
  });
  return texts.join(' and ');
}
