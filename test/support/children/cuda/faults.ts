/** Saves and restores device memory beside a driver that fails, then saves host memory. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter, CudaMemory, openCheckpoint, type Published } from 'snapshard';
import { MiB } from '../../bytes.js';
import { loadCudaUser } from '../../cuda_user.js';
import { failureOf, runScenario, type ScenarioArgument } from '../../scenarios.js';

const bytes = 3 * MiB + 1;
const tightOptions = { stagingBytes: 4 * MiB, blockBytes: MiB };
const unknownError = 999;
/** Of a function that is called over and over. */
const turnsMax = 24;
const readOptions = { stagingBytes: 4 * MiB, blockBytes: 2 * MiB };

const tensors = (...memories: CudaMemory[]) =>
  new Map(memories.map((data, index) => [`t${index}`, { dtype: 'U8' as const, shape: [data.bytes], data }]));

async function hostSave(root: string, step: number): Promise<unknown> {
  const writer = await CheckpointWriter.open(root, tightOptions);
  const failure = await failureOf(() => writer.save({ step, tensors: { host: new Uint8Array(2 * MiB) } }));
  await writer.close();
  return failure;
}

/** Each driver call that saves and reads come to. */
async function saveAndRestore({ root, cudaDevice, deviceSnapshot }: ScenarioArgument): Promise<unknown> {
  let saved: Published | undefined;
  let writer: CheckpointWriter | undefined;
  const device = cudaDevice === true ? { cudaDevice: 0 } : {};
  const failure = await failureOf(async () => {
    writer = await CheckpointWriter.open(root, { ...tightOptions, ...device });
    using memory = CudaMemory.allocate(bytes);
    using view = CudaMemory.at({ pointer: memory.pointer + 1n, bytes: bytes - 1 });
    const all = tensors(memory, view, memory.slice(5, 10));
    saved = await writer.save({ step: 1, tensors: all, deviceSnapshot: deviceSnapshot === true });
    const checkpoint = await openCheckpoint(saved.path, { ...readOptions, ...device });
    try {
      await checkpoint.readInto({ t0: memory });
    } finally {
      await checkpoint.close();
    }
  });
  await writer?.close().catch(() => undefined);
  const host = await hostSave(root, 2);
  return { failure, host, deviceReason: saved?.deviceReason ?? '', names: readdirSync(root).sort() };
}

/** Each call of a function fails in turn, until there is none left to fail. */
async function inTurn(argument: ScenarioArgument): Promise<unknown> {
  const { root, name } = argument as ScenarioArgument & { name: string };
  const user = loadCudaUser();
  const outcomes = [];
  for (let nth = 1; nth <= turnsMax; nth += 1) {
    const own = join(root, String(nth));
    mkdirSync(own);
    user.failNext(name, nth, unknownError);
    outcomes.push(await saveAndRestore({ ...argument, root: own, cudaDevice: nth % 2 === 0, deviceSnapshot: nth % 3 !== 0 }));
    if (!user.hasFailed()) break;
  }
  return outcomes;
}

/** The device is lost meanwhile: what follows fails too, and says so. */
async function lost({ root }: ScenarioArgument): Promise<unknown> {
  const writer = await CheckpointWriter.open(root, tightOptions);
  const memory = CudaMemory.allocate(bytes);
  const failures = [];
  for (const step of [1, 2]) failures.push(await failureOf(() => writer.save({ step, tensors: tensors(memory) })));
  const { t0 } = Object.fromEntries(tensors(memory));
  const host = new Uint8Array(MiB);
  const mixed = { t0: t0!, host };
  failures.push(await failureOf(() => writer.save({ step: 3, tensors: mixed })));
  failures.push(await failureOf(() => writer.save({ step: 4, tensors: { host } })));
  failures.push(await failureOf(() => CudaMemory.allocate(bytes)));
  memory.dispose();
  await writer.close();
  return { failures, names: readdirSync(root).sort() };
}

/** The device never answers: the deadline passes, others go on, and the process can end. */
async function hanging({ root }: ScenarioArgument): Promise<unknown> {
  const writer = await CheckpointWriter.open(root, { ...tightOptions, deadlineMs: 1500 });
  const memory = CudaMemory.allocate(bytes);
  const failure = await failureOf(() => writer.save({ step: 1, tensors: tensors(memory) }));
  const host = await hostSave(root, 2);
  memory.dispose();
  process.send?.({ failure, host, names: readdirSync(root).filter((name) => name.startsWith('step')) });
  await new Promise((resolve) => setImmediate(resolve));
  process.exit(0);
}

await runScenario({ saveAndRestore, inTurn, lost, hanging });
