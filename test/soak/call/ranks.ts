import assert from 'node:assert/strict';
import { CheckpointWriter, listCheckpoints, SnapshardError, type Published } from 'snapshard';
import { expectCoded, expectNames, gone, tellsOf } from './judge.js';
import type { Came, Phase, Stretch } from './phase.js';
import type { Fault } from './refusal.js';
import type { Scene } from './scene.js';

const worldSize = 3;
/** Of a meeting that one does not come to. */
const meeting_ms = 1500;
const saving_ms = 60_000;

let runs = 0;

/** What became of each rank. */
type Ends<Value> = PromiseSettledResult<Value>[];

class RanksFailed extends Error {
  readonly failures: readonly unknown[];
  readonly published: number;

  constructor(ends: Ends<unknown>) {
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    super(failures.map(String).join('\n'));
    this.failures = failures;
    this.published = ends.length - failures.length;
  }
}

function valuesOf<Value>(ends: Ends<Value>): Value[] {
  if (ends.some(({ status }) => status === 'rejected')) throw new RanksFailed(ends);
  return ends.map((end) => (end as PromiseFulfilledResult<Value>).value);
}

/** One rank names the call; the others at least what happened to it. */
function judge(failure: unknown, fault: Fault, roots: readonly string[]): void {
  if (!(failure instanceof RanksFailed)) throw failure;
  failure.failures.forEach(expectCoded);
  if (fault.error === 'ESTALE' && failure.failures.some((error) => gone.has((error as SnapshardError).code))) return;
  const names = failure.failures.some((error) => {
    if (!(error instanceof SnapshardError)) return false;
    try {
      expectNames(error, fault, roots);
      return true;
    } catch {
      return error.ranks !== undefined && tellsOf(error.message, fault);
    }
  });
  assert(names, `No rank names what was refused: ${failure.message}`);
}

function openRanks(scene: Scene, root: string, runId: string, deadlineMs: number): Promise<Ends<CheckpointWriter>> {
  const open = (rank: number): Promise<CheckpointWriter> =>
    CheckpointWriter.open(root, { ...scene.writerOptions, rank, worldSize, runId, deadlineMs });
  return Promise.allSettled(Array.from({ length: worldSize }, (_, rank) => open(rank)));
}

function requestOf(scene: Scene, rank: number, step: number, overwrite: boolean) {
  const { tensors, files } = scene.request(step);
  const own = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${rank}.${name}`, tensor]));
  return { step, tensors: own, overwrite, files };
}

async function saveRanks(scene: Scene, writers: readonly CheckpointWriter[], step: number, overwrite: boolean): Promise<Published[]> {
  // One may throw at the call; the others hear of it.
  const saves = writers.map(async (writer, rank) => writer.save(requestOf(scene, rank, step, overwrite)).published);
  return valuesOf(await Promise.allSettled(saves));
}

async function closeAll(writers: readonly CheckpointWriter[]): Promise<void> {
  await Promise.allSettled(writers.map((writer) => writer.close()));
}

async function end(scene: Scene, root: string, writers: readonly CheckpointWriter[]): Promise<void> {
  await closeAll(writers);
  await scene.expectSwept(root);
  scene.remove(root);
}

/** Where it failed for some, it may have been published all the same: rank 0 alone decides. */
async function checkSave(scene: Scene, root: string, writers: readonly CheckpointWriter[], came: Came): Promise<void> {
  const steps = (await listCheckpoints(root)).map(({ step }) => step);
  const failed = 'failure' in came ? (came.failure as RanksFailed) : undefined;
  if (failed === undefined) assert.deepEqual(steps, [1]);
  const unsure = failed?.failures.some((error) => (error as SnapshardError).code === 'ERR_SNAPSHARD_DURABILITY_UNKNOWN');
  if (failed?.published === 0 && unsure !== true) assert.deepEqual(steps, [], 'It failed on all ranks and is listed.');
  await scene.expectSteps(root, steps);
  await saveRanks(scene, writers, 1, steps.length > 0);
  await scene.expectSteps(root, [1]);
}

const meet: Phase = {
  name: 'ranks: meet',
  fewErrors: true,
  prepare(scene): Promise<Stretch> {
    const root = scene.newRoot();
    const runId = `run ${runs++}`;
    let opened: CheckpointWriter[] = [];
    return Promise.resolve({
      roots: [root],
      async run() {
        const ends = await openRanks(scene, root, runId, meeting_ms);
        opened = ends.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
        return valuesOf(ends);
      },
      judge: (failure, fault) => { judge(failure, fault, [root]); },
      async check(came) {
        if ('failure' in came) {
          await closeAll(opened);
          opened = valuesOf(await openRanks(scene, root, runId, saving_ms));
        }
        await saveRanks(scene, opened, 1, false);
        await scene.expectSteps(root, [1]);
      },
      end: () => end(scene, root, opened),
    });
  },
};

const save: Phase = {
  name: 'ranks: save',
  fewErrors: true,
  async prepare(scene): Promise<Stretch> {
    const root = scene.newRoot();
    const writers = valuesOf(await openRanks(scene, root, `run ${runs++}`, saving_ms));
    return {
      roots: [root, scene.sourcePath],
      run: () => saveRanks(scene, writers, 1, false),
      judge: (failure, fault) => { judge(failure, fault, [root, scene.sourcePath]); },
      check: (came) => checkSave(scene, root, writers, came),
      end: () => end(scene, root, writers),
    };
  },
};

const close: Phase = {
  name: 'ranks: close',
  fewErrors: true,
  async prepare(scene): Promise<Stretch> {
    const root = scene.newRoot();
    const runId = `run ${runs++}`;
    const writers = valuesOf(await openRanks(scene, root, runId, saving_ms));
    await saveRanks(scene, writers, 1, false);
    return {
      roots: [root],
      run: async () => valuesOf(await Promise.allSettled(writers.map((writer) => writer.close()))),
      judge: (failure, fault) => { judge(failure, fault, [root]); },
      async check() {
        const again = valuesOf(await openRanks(scene, root, runId, saving_ms));
        await saveRanks(scene, again, 2, false);
        await scene.expectSteps(root, [1, 2]);
        await closeAll(again);
      },
      end: () => end(scene, root, writers),
    };
  },
};

export const ranksPhases: readonly Phase[] = [meet, save, close];
