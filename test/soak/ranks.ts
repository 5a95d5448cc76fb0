import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeRanks, valuesOf } from '../support/rank_process.js';
import type { Mishap } from '../support/ranks_wire.js';
import { expectInvariant, expectListedWhole, type Told } from './invariant.js';
import { Dice } from './misuse/dice.js';
import { Fleet, tensorsOf, within, type Reply } from './ranks/fleet.js';
import type { SoakClass, SoakTally } from './soak_class.js';

/** What happens to one rank while all save. */
type Fault = 'killed' | 'stopped' | 'closed' | Extract<Mishap, 'abortedAtOnce' | 'abortedWhenStaged' | 'abortedTooLate' | 'detached'>;

const faults: readonly Fault[] = [
  ...(['killed', 'killed', 'stopped', 'stopped', 'closed'] as const),
  ...(['abortedAtOnce', 'abortedWhenStaged', 'abortedTooLate', 'detached'] as const),
];

export interface RanksOptions {
  /** Of the saves that something happens to. */
  readonly deadlineMs: number;
  /** For all ranks to be told, once the deadline is over. */
  readonly patience_ms: number;
  /** Where in the time of two saves it happens; default: by the seed. */
  readonly share?: number;
}

const usual: RanksOptions = { deadlineMs: 4000, patience_ms: 60_000 };
const calm_ms = 120_000;
/** Each earlier in the time that saves take. */
const attemptsMax = 8;
const mishaps: readonly Fault[] = ['abortedAtOnce', 'abortedWhenStaged', 'abortedTooLate', 'detached'];

interface Scene {
  readonly fleet: Fleet;
  readonly fault: Fault;
  readonly culprit: number;
  /** Of each rank's part. */
  readonly rows: number;
  /** Of the time of two saves. */
  readonly share: number;
  readonly options: RanksOptions;
}

function sceneOf(seed: number, root: string, options: RanksOptions): Scene {
  const dice = new Dice(seed);
  const worldSize = 2 + dice.below(3);
  return {
    ...{ fleet: new Fleet(worldSize, root), fault: faults[seed % faults.length]!, options },
    ...{ culprit: dice.chance(0.5) ? 0 : 1 + dice.below(worldSize - 1), rows: 1 + dice.below(8), share: options.share ?? dice.below(1000) / 1000 },
  };
}

/** One call on each rank. */
function saveAll({ fleet, rows, fault, culprit }: Scene, step: number, faulty = false): Promise<Reply>[] {
  return fleet.writers.map((writer, rank) => {
    const mishap = faulty && mishaps.includes(fault) && rank === culprit ? { mishap: fault as Mishap } : {};
    return writer.save({ step, tensors: tensorsOf(rank, fleet.worldSize, rows), overwrite: true, ...mishap });
  });
}

async function strike({ fleet, fault, culprit }: Scene): Promise<void> {
  const process = fleet.processes[culprit]!;
  if (fault === 'killed') await process.kill();
  if (fault === 'stopped') await process.stop();
  if (fault === 'closed') await process.ask({ kind: 'reset' });
}

/** Each has an error with a code, or the same checkpoint. @returns what was told as published */
function judge({ fault, culprit }: Scene, step: number, replies: readonly Reply[], counts: Record<string, number>): Told | undefined {
  const published = new Set<string>();
  for (const [rank, reply] of replies.entries()) {
    if ('value' in reply) published.add(reply.value.digest);
    else if (rank === culprit && (fault === 'killed' || reply.failure.message === 'enough')) continue;
    else {
      const { code = '', message, ranks } = reply.failure;
      assert.match(code, /^ERR_SNAPSHARD_/, `Rank ${rank} of step ${step}: ${message}`);
      // On a busy machine its own part may be late, too.
      const blamed = code === 'ERR_SNAPSHARD_DEADLINE' && rank !== culprit ? ranks : undefined;
      assert(blamed?.includes(culprit) ?? true, `It was rank ${culprit}, and not: ${message}`);
      counts[code] = (counts[code] ?? 0) + 1;
    }
  }
  assert(published.size <= 1, `The ranks were told of several checkpoints of step ${step}.`);
  const [digest] = published;
  return digest === undefined ? undefined : { step, digest };
}

interface Round {
  readonly step: number;
  readonly replies: readonly Promise<Reply>[];
}

/** Two saves, one behind the other, and the fault somewhere in them: again, if they had ended before. */
async function strikeAtWork(scene: Scene, save_ms: number): Promise<{ rounds: Round[]; missed: number }> {
  for (let missed = 0; missed < attemptsMax; missed += 1) {
    const rounds = [2, 3].map((step) => ({ step, replies: saveAll(scene, step, step === 2) }));
    const ended = Promise.all(rounds.flatMap(({ replies }) => replies)).then(() => true);
    const isOver = await Promise.race([ended, sleep(scene.share * 0.7 ** missed * 2 * save_ms, false)]);
    if (isOver && !mishaps.includes(scene.fault)) continue;
    await strike(scene);
    return { rounds, missed };
  }
  throw new Error(`Nothing was under way when rank ${scene.culprit} was to be ${scene.fault}, ${attemptsMax} times.`);
}

/** What was told last. */
async function saveUnderFault(scene: Scene, save_ms: number, told: Told, counts: Record<string, number>): Promise<Told> {
  const { fleet, culprit, options } = scene;
  const { rounds, missed } = await strikeAtWork(scene, save_ms);
  counts['missed and tried again'] = missed;
  // A rank that stands still answers when it goes on.
  const survivors = rounds.map(({ replies }) => Promise.all(replies.filter((_, rank) => rank !== culprit)));
  const limit_ms = 2 * options.deadlineMs + options.patience_ms;
  await within(limit_ms, `${scene.fault} rank ${culprit}`, Promise.all(survivors));
  await expectListedWhole(fleet.root, told);
  if (scene.fault === 'stopped') fleet.processes[culprit]!.resume();
  let last = told;
  for (const { step, replies } of rounds) {
    const all = await within(limit_ms, `rank ${culprit}, which was ${scene.fault}`, Promise.all(replies));
    last = judge(scene, step, all, counts) ?? last;
  }
  return last;
}

export async function ranksTrial(seed: number, root: string, options = usual): Promise<SoakTally> {
  const scene = sceneOf(seed, root, options);
  const { fleet, fault, culprit } = scene;
  const counts: Record<string, number> = {};
  try {
    await fleet.open(calm_ms);
    const begun_ms = performance.now();
    valuesOf(await Promise.all(saveAll(scene, 1)));
    const save_ms = performance.now() - begun_ms;
    valuesOf(await Promise.all(fleet.writers.map((writer) => writer.close())));
    await fleet.open(options.deadlineMs);
    const told = await saveUnderFault(scene, save_ms, { step: 1 }, counts);
    await expectListedWhole(root, told);
    await fleet.open(calm_ms);
    const [next] = valuesOf(await Promise.all(saveAll(scene, 3)));
    await closeRanks(fleet.writers);
    await expectInvariant(root, { step: 3, digest: next!.digest }, 4);
    assert.equal(fleet.complaints, '');
  } finally {
    await fleet.end();
  }
  return { [`${fault}: ${culprit === 0 ? 'rank 0' : 'another rank'}`]: 1, ...counts };
}

export const soak: SoakClass = {
  name: 'ranks',
  about: 'one of several ranks killed, stopped, closed or aborted at any moment: the others are told, and the next run works',
  whyNot: () => undefined,
  trial: (seed, folder) => ranksTrial(seed, folder),
};
