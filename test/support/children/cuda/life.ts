/** Device memory that is ours lives as long as something uses it, and no longer than it is wanted. */
import { strict as assert } from 'node:assert';
import { Worker } from 'node:worker_threads';
import { CheckpointWriter, CudaMemory, openCheckpoint } from 'snapshard';
import { MiB } from '../../bytes.js';
import { defaultStream, loadCudaUser } from '../../cuda_user.js';
import { readTensors } from '../../read_back.js';
import { collectGarbage, runScenario, type ScenarioArgument } from '../../scenarios.js';

const user = loadCudaUser();
const bytes = 6 * MiB;
const tightOptions = { stagingBytes: 4 * MiB, blockBytes: MiB };

function filled(value: number): CudaMemory {
  const memory = CudaMemory.allocate(bytes);
  user.write(0, memory.pointer, new Uint8Array(bytes).fill(value), defaultStream);
  user.synchronize(0, defaultStream);
  return memory;
}

const tensors = (data: CudaMemory) => ({ data: { dtype: 'U8' as const, shape: [bytes], data } });

function expectFilled(path: string, value: number): void {
  assert.ok(readTensors(path).get('data')!.bytes.equals(Buffer.alloc(bytes, value)), `${path} has other bytes`);
}

async function disposedWhileSaved({ root }: ScenarioArgument): Promise<void> {
  const writer = await CheckpointWriter.open(root, tightOptions);
  const memory = filled(1);
  const save = writer.save({ step: 1, tensors: tensors(memory) });
  memory.dispose();
  memory.dispose();
  memory[Symbol.dispose]();
  expectFilled((await save).path, 1);
  await writer.close();
}

async function droppedWhileSaved({ root }: ScenarioArgument): Promise<void> {
  const writer = await CheckpointWriter.open(root, tightOptions);
  const save = writer.save({ step: 1, tensors: tensors(filled(2)) });
  await collectGarbage();
  expectFilled((await save).path, 2);
  await writer.close();
}

/** The read goes on in windows, and takes its targets anew for each. */
async function droppedAndDisposedWhileRead({ root }: ScenarioArgument): Promise<void> {
  const writer = await CheckpointWriter.open(root, tightOptions);
  const source = filled(3);
  const { path } = await writer.save({ step: 1, tensors: tensors(source) });
  await writer.close();
  source.dispose();
  const pointer = user.allocate(0, 2 * bytes);
  const checkpoint = await openCheckpoint(path, { stagingBytes: 4 * MiB, blockBytes: 2 * MiB });
  const dropped = checkpoint.readInto({ data: CudaMemory.at({ pointer, bytes }) });
  const target = CudaMemory.at({ pointer: pointer + BigInt(bytes), bytes });
  const disposed = checkpoint.readInto({ data: target });
  target.dispose();
  await collectGarbage();
  await Promise.all([dropped, disposed]);
  assert.ok(Buffer.from(user.read(0, pointer, 2 * bytes, defaultStream)).equals(Buffer.alloc(2 * bytes, 3)));
  await checkpoint.close();
  user.free(0, pointer);
}

/** More than the device has, one after the other. */
async function collected(): Promise<void> {
  for (let round = 0; round < 40; round += 1) {
    const slice = CudaMemory.allocate(64 * MiB).slice(8, 8);
    assert.equal(slice.bytes, 8);
    await collectGarbage();
  }
}

async function keptBySlice(): Promise<void> {
  const slices = [filled(5).slice(MiB, 2 * MiB)].map((slice) => slice.slice(10, 100));
  await collectGarbage();
  const [slice] = slices as [CudaMemory];
  assert.deepEqual(user.read(0, slice.pointer, slice.bytes, defaultStream), new Uint8Array(100).fill(5));
}

/** Nobody disposes of anything, and the process ends by itself. */
async function leftBehind({ root }: ScenarioArgument): Promise<void> {
  const writer = await CheckpointWriter.open(root, { ...tightOptions, cudaDevice: 0 });
  await writer.save({ step: 1, tensors: tensors(filled(6)) });
  filled(7).slice(0, 5);
}

async function exitInMidCopy({ root }: ScenarioArgument): Promise<never> {
  const writer = await CheckpointWriter.open(root, tightOptions);
  writer.save({ step: 1, tensors: tensors(filled(8)) });
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.exit(0);
}

/** Each worker has threads and lanes of its own; some are ended while they save. */
async function workers({ root }: ScenarioArgument): Promise<void> {
  const program = new URL('worker.mjs', import.meta.url);
  const start = (step: number, endsEarly: boolean): Promise<unknown> => {
    const worker = new Worker(program, { workerData: { root, step, endsEarly } });
    return new Promise((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', resolve);
      worker.on('message', () => {
        if (endsEarly) void worker.terminate();
      });
    });
  };
  await Promise.all([start(1, false), start(2, true), start(3, false), start(4, true)]);
  for (const step of [1, 3]) {
    const stored = readTensors(`${root}/step-${String(step).padStart(10, '0')}`);
    assert.equal(stored.get('data')!.bytes.length, bytes);
  }
}

await runScenario({
  disposedWhileSaved,
  droppedWhileSaved,
  droppedAndDisposedWhileRead,
  collected,
  keptBySlice,
  leftBehind,
  exitInMidCopy,
  workers,
});
