import { Dice } from '../misuse/dice.js';

/** What the victim does to itself. */
export interface OwnEnd {
  /** Saves before the one at whose start it is armed. */
  readonly after: number;
  readonly ending: 'kill' | 'term' | 'exit' | 'throw' | 'terminate';
  /** Of the save; with the share of its bytes that is done. Or: */
  readonly phase?: 'staging' | 'writing' | 'publishing';
  /** Without a phase: of the time from the start of one save to that of the next, as the victim last measured it. */
  readonly share: number;
}

/** Where a victim is killed. */
export interface Moment {
  readonly name: string;
  readonly end: OwnEnd | undefined;
  /** Killed by the tracer instead, as it enters this call of the system for this time. */
  readonly call?: { readonly names: string; readonly time: number };
  /** Whether what is killed is a writer that removes what an earlier one left. */
  readonly sweeping?: boolean;
}

/** @param share from 0 to 1, spread evenly over the trials of a moment */
type Make = (share: number, dice: Dice) => Moment;

const atPhase = (phase: 'staging' | 'writing' | 'publishing'): Make => (share, dice) => ({
  name: phase,
  end: { after: dice.below(4), ending: 'kill', phase, share: phase === 'publishing' ? 0 : share },
});

const atTime = (ending: OwnEnd['ending']): Make => (share, dice) => ({
  name: `${ending} after a time`,
  end: { after: 1 + dice.below(4), ending, share },
});

/**
 * @param perSave how often a save makes the call: about four saves are spread over
 * @param before how often it is made before the first save
 */
const atCall = (name: string, names: string, perSave: number, before = 0): Make => (share) => ({
  name,
  end: undefined,
  call: { names, time: 1 + before + Math.floor(share * 4 * perSave) },
});

const sweeping: Make = (share) => ({
  ...{ name: 'sweeping', end: undefined, sweeping: true },
  call: { names: 'unlinkat', time: 1 + Math.floor(share * 3) },
});

/** The calls of the thread that has to do with files; of the shards' own, most go through the ring. */
const moments: readonly Make[] = [
  atPhase('staging'),
  atPhase('writing'),
  atPhase('publishing'),
  atTime('kill'),
  atTime('kill'),
  atCall('making the directory', 'mkdirat', 2),
  atCall('preallocating', 'fallocate', 1),
  atCall('cutting to length', 'ftruncate', 1),
  atCall('syncing a shard', 'fdatasync', 1),
  atCall('writing manifests', 'openat2', 8, 4),
  atCall('syncing manifests, directories and the root', 'fsync', 7),
  atCall('syncing manifests, directories and the root', 'fsync', 7),
  atCall('renaming: publish, retire', 'renameat2', 2),
  atCall('renaming: publish, retire', 'renameat2', 2),
  atCall('deleting what was replaced', 'unlinkat', 6),
  sweeping,
  atTime('term'),
  atTime('exit'),
  atTime('throw'),
  atTime('terminate'),
];

/** Its multiples, without their whole parts, lie apart from each other as evenly as can be. */
const goldenRatio = (Math.sqrt(5) - 1) / 2;

/**
 * By their number: any row of seeds that follow each other spreads over all, and evenly over each.
 * @param attempt counted from 0: each lies elsewhere
 */
export function momentOf(seed: number, attempt = 0): Moment {
  const turn = Math.floor(seed / moments.length) + attempt / 2;
  const dice = new Dice((seed + attempt * 0x9e37_79b9) % 2 ** 32);
  return moments[seed % moments.length]!((turn * goldenRatio) % 1, dice);
}
