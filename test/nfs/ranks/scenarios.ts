import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkCheckpoint } from '../../../examples/check.js';
import { ranksDirectory } from '../../../lib/layout/names.js';
import { isComplete } from '../../../lib/ranks/session.js';
import { NativeStore } from '../../../lib/store/native_store.js';
import { Fleet, takeProcess, type Answer, type Saved } from './fleet.js';

const worldSize = 8;
const timedSaves = 5;

/** Milliseconds from the last rank's data durable to resolved on all ranks, for each of the saves that are timed. */
export type Latencies = number[];

export interface Scenario {
  name: string;
  /** @param roots one directory, empty at first, as each mount has it */
  readonly run: (roots: readonly string[]) => Promise<Latencies>;
}

/** The published step, checked through each mount, by a reader that shares no code with the library. */
async function requirePublished(answers: readonly Answer[], roots: readonly string[]): Promise<Saved[]> {
  const saved = answers.map(({ result, error }) => {
    assert.equal(error, undefined);
    return result as Saved;
  });
  assert.equal(new Set(saved.map(({ digest }) => digest)).size, 1, 'every rank is told the same digest');
  for (const root of roots) await checkCheckpoint(join(root, basename(saved[0]!.path)));
  return saved;
}

/** @param ranks whom each error is about */
function requireFailed(answers: readonly Answer[], code: string, ranks: readonly number[] | undefined): void {
  for (const { error, result } of answers) {
    assert.equal(result, undefined);
    assert.deepEqual({ code: error!.code, ranks: error!.ranks }, { code, ranks }, error!.message);
  }
}

function requireOpened(answers: readonly Answer[]): void {
  for (const { error } of answers) assert.equal(error, undefined);
}

function steps(root: string): string[] {
  return readdirSync(root).filter((name) => name.startsWith('step-')).sort();
}

/** Nothing is left but what is published. */
async function requireTidy(roots: readonly string[]): Promise<void> {
  for (const root of roots) {
    // Not what the client still remembers.
    const store = await NativeStore.open(root);
    const names = await store.list('');
    await store.close();
    assert.deepEqual(names.sort(), steps(root));
  }
}

/** Runs a scenario with fresh fleets. What it returns are its latencies, if it measures them. */
async function withFleets(
  sizes: readonly number[],
  work: (...fleets: Fleet[]) => Promise<Latencies | undefined>,
): Promise<Latencies> {
  const fleets = sizes.map((size) => new Fleet(size));
  let reusable = false;
  try {
    const latencies = (await work(...fleets)) ?? [];
    reusable = true;
    return latencies;
  } finally {
    await Promise.all(fleets.map((fleet) => fleet.end(reusable)));
  }
}

const saving: Scenario = {
  name: 'every rank resolves, and both mounts show it whole',
  run: (roots) =>
    withFleets([worldSize], async (fleet) => {
      requireOpened(await fleet.open(roots, 'run'));
      const latencies: Latencies = [];
      // The first is for warming up.
      for (let step = 0; step <= timedSaves; step++) {
        const saved = await requirePublished(await fleet.save(step), roots);
        const durable_ms = Math.max(...saved.map((rank) => rank.durable_ms));
        const resolved_ms = Math.max(...saved.map((rank) => rank.resolved_ms));
        if (step > 0) latencies.push(resolved_ms - durable_ms);
      }
      await fleet.close();
      await requireTidy(roots);
      return latencies;
    }),
};

const failing: Scenario = {
  name: 'a rank whose save fails is named to all, and the next save works',
  run: (roots) =>
    withFleets([worldSize], async (fleet) => {
      requireOpened(await fleet.open(roots, 'run'));
      const answers = await fleet.each((process, rank) => process.save({ step: 1, wrong: rank === 5 }));
      const [wrong] = answers.splice(5, 1);
      assert.equal(wrong!.error!.code, 'ERR_SNAPSHARD_SHAPE_MISMATCH');
      requireFailed(answers, 'ERR_SNAPSHARD_RANK_FAILED', [5]);
      assert.deepEqual(steps(roots[1]!), []);
      await requirePublished(await fleet.save(2), roots);
      await fleet.close();
      await requireTidy(roots);
    }),
};

const absent: Scenario = {
  name: 'a killed rank is named when the deadline passes; all start again with the same run id',
  run: (roots) =>
    withFleets([worldSize], async (fleet) => {
      requireOpened(await fleet.open(roots, 'run', 15_000));
      await requirePublished(await fleet.save(1), roots);
      await fleet.ranks[6]!.kill();
      const answers = await fleet.save(2);
      answers.splice(6, 1);
      requireFailed(answers, 'ERR_SNAPSHARD_DEADLINE', [6]);
      await fleet.close();
      fleet.ranks[6] = takeProcess();
      requireOpened(await fleet.open(roots, 'run'));
      await requirePublished(await fleet.save(2), roots);
      await fleet.close();
      await requireTidy(roots);
    }),
};

/** Killed in the middle of a save, wherever that is: it is published for all that live, or for none. */
const midway: Scenario = {
  name: 'a rank killed in the middle of a save',
  run: (roots) =>
    withFleets([worldSize], async (fleet) => {
      for (const [round, delay_ms] of [0, 40, 150].entries()) {
        requireOpened(await fleet.open(roots, 'run', 15_000));
        const saving = fleet.save(round);
        await sleep(delay_ms);
        await fleet.ranks[7]!.kill();
        const answers = (await saving).slice(0, 7);
        if (answers[0]!.error === undefined) await requirePublished(answers, roots);
        else requireFailed(answers, 'ERR_SNAPSHARD_DEADLINE', [7]);
        await fleet.close();
        fleet.ranks[7] = takeProcess();
      }
    }),
};

const leaderless: Scenario = {
  name: 'rank 0 killed in a save, and started again with the same run id: the others learn of it, and meet it anew',
  run: (roots) =>
    withFleets([worldSize], async (fleet) => {
      for (const [round, delay_ms] of [0, 40, 150].entries()) {
        requireOpened(await fleet.open(roots, 'run'));
        const saving = fleet.save(round);
        await sleep(delay_ms);
        await fleet.ranks[0]!.kill();
        const leader = takeProcess();
        fleet.ranks[0] = leader;
        const opened = leader.open(fleet.place(roots, 'run', 60_000, 0));
        const answers = (await saving).slice(1);
        if (answers[0]!.error === undefined) await requirePublished(answers, roots);
        else requireFailed(answers, 'ERR_SNAPSHARD_SESSION_OVER', [0]);
        await Promise.all(fleet.ranks.slice(1).map((process) => process.close()));
        const others = await fleet.each((process, rank) =>
          rank === 0 ? opened : process.open(fleet.place(roots, 'run', 60_000, rank)),
        );
        requireOpened(others);
        await requirePublished(await fleet.save(100 + round), roots);
        await fleet.close();
      }
      await requireTidy(roots);
    }),
};

const rivals: Scenario = {
  name: 'two runs save the same step at once: one wins, and neither disturbs the other',
  run: (roots) =>
    withFleets([4, 4], async (left, right) => {
      requireOpened(await left.open(roots, 'left'));
      const first = left.save(1);
      requireOpened(await right.open([...roots].reverse(), 'right'));
      await requirePublished(await first, roots);
      const outcomes = await Promise.all([left.save(2), right.save(2)]);
      const [won, lost] = outcomes[0][0]!.error === undefined ? outcomes : outcomes.reverse();
      await requirePublished(won!, roots);
      // Rank 0's own error is about no other rank.
      requireFailed(lost!.slice(0, 1), 'ERR_SNAPSHARD_STEP_EXISTS', undefined);
      requireFailed(lost!.slice(1), 'ERR_SNAPSHARD_STEP_EXISTS', [0]);
      const [third, fourth] = await Promise.all([left.save(3), right.save(4)]);
      await requirePublished(third, roots);
      await requirePublished(fourth, roots);
      await Promise.all([left.close(), right.close()]);
      for (const root of roots) assert.deepEqual(steps(root).length, 4);
    }),
};

/** Two changes with a look in between, as close to each other as they get: their times of change may be equal. */
const ticks: Scenario = {
  name: 'a look at a directory shows what changed within one tick of the clock of the server',
  run: async (roots) => {
    const [here, there] = (await Promise.all(roots.map((root) => NativeStore.open(root)))) as [NativeStore, NativeStore];
    await here.makeDirectory('0', false);
    for (let round = 0; round < 200; round += 2) {
      await here.rename(`${round}`, `${round + 1}`);
      await there.list('');
      await here.rename(`${round + 1}`, `${round + 2}`);
      assert.deepEqual(await there.list(''), [`${round + 2}`]);
    }
    await Promise.all([here.close(), there.close()]);
    return [];
  },
};

/** Who writes into a directory as soon as it is complete, finds it there, however close that comes to its making. */
const births: Scenario = {
  name: 'what is written to a directory that another client is only making',
  run: async (roots) => {
    const [here, there] = (await Promise.all(roots.map((root) => NativeStore.open(root)))) as [NativeStore, NativeStore];
    for (let round = 0; round < 100; round++) {
      await here.makeDirectory(`${round}`, false);
      const early = isComplete(there, `${round}`);
      await here.makeDirectory(`${round}/${ranksDirectory}`, false);
      await early;
      while (!(await isComplete(there, `${round}`))) await sleep(5);
      await there.writeFiles([{ path: `${round}/${ranksDirectory}/0`, contents: new Uint8Array(0) }]);
    }
    await Promise.all([here.close(), there.close()]);
    return [];
  },
};

export const scenarios: readonly Scenario[] = [ticks, births, saving, failing, absent, midway, leaderless, rivals];
