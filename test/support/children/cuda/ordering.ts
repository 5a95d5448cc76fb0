/** Saves and reads wait, on the device, for what its memory's stream or event had been given when they were asked for. */
import { strict as assert } from 'node:assert';
import { CheckpointWriter, CudaMemory, openCheckpoint, type CudaMemoryAt } from 'snapshard';
import { MiB, randomBytes } from '../../bytes.js';
import { defaultStream, loadCudaUser } from '../../cuda_user.js';
import { readTensors } from '../../read_back.js';
import { runScenario, type ScenarioArgument } from '../../scenarios.js';

const user = loadCudaUser();
const device = 0;
const bytes = 3 * MiB + 1;
const tightOptions = { stagingBytes: 3 * MiB, blockBytes: MiB };
/** Bytes that are on their way; before them, there are others. */
const late = randomBytes(bytes);
const pointer = user.allocate(device, bytes);

const sleep = (duration_ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, duration_ms));

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  return (await Promise.race([promise, sleep(50).then(() => pending)])) !== pending;
}

/** What is behind the stream, or event, that its caller named is not read before that is done. */
async function expectLate(root: string, held: bigint | undefined, order: Partial<CudaMemoryAt>, deviceSnapshot: boolean) {
  const writer = await CheckpointWriter.open(root, tightOptions);
  const data = CudaMemory.at({ pointer, bytes, ...order });
  const save = writer.save({ step: 1, tensors: { late: { dtype: 'U8', shape: [bytes], data } }, deviceSnapshot });
  if (held !== undefined) {
    assert.equal(await isSettled(save.staged), false);
    user.holdStream(held, false);
  }
  await save.staged;
  user.write(device, pointer, new Uint8Array(bytes), defaultStream);
  user.synchronize(device, defaultStream);
  const { path } = await save;
  await writer.close();
  assert.ok(readTensors(path).get('late')!.bytes.equals(late), 'the save has other bytes');
}

async function byStream({ root, double, deviceSnapshot }: ScenarioArgument): Promise<void> {
  const stream = user.createStream(device);
  if (double === true) user.holdStream(stream, true);
  user.write(device, pointer, late, stream);
  await expectLate(root, double === true ? stream : undefined, { stream }, deviceSnapshot === true);
  user.destroyStream(device, stream);
  user.free(device, pointer);
}

async function byEvent({ root, double, deviceSnapshot }: ScenarioArgument): Promise<void> {
  const stream = user.createStream(device);
  const event = user.createEvent(device);
  if (double === true) user.holdStream(stream, true);
  user.write(device, pointer, late, stream);
  user.recordEvent(device, event, stream);
  await expectLate(root, double === true ? stream : undefined, { event }, deviceSnapshot === true);
  user.destroyEvent(device, event);
  user.destroyStream(device, stream);
  user.free(device, pointer);
}

async function byDefaultStream({ root, deviceSnapshot }: ScenarioArgument): Promise<void> {
  user.write(device, pointer, late, defaultStream);
  await expectLate(root, undefined, {}, deviceSnapshot === true);
  user.free(device, pointer);
}

/** What a stream still writes there does not come after what is restored. */
async function restored({ root, double }: ScenarioArgument): Promise<void> {
  const writer = await CheckpointWriter.open(root, tightOptions);
  const { path } = await writer.save({ step: 1, tensors: { weights: late } });
  await writer.close();
  const stream = user.createStream(device);
  if (double === true) user.holdStream(stream, true);
  user.write(device, pointer, new Uint8Array(bytes), stream);
  const checkpoint = await openCheckpoint(path);
  const reading = checkpoint.readInto({ weights: CudaMemory.at({ pointer, bytes, stream }) });
  if (double === true) {
    assert.equal(await isSettled(reading), false);
    user.holdStream(stream, false);
  }
  await reading;
  assert.ok(Buffer.from(user.read(device, pointer, bytes, stream)).equals(late), 'other bytes were restored');
  await checkpoint.close();
  user.destroyStream(device, stream);
  user.free(device, pointer);
}

await runScenario({ byStream, byEvent, byDefaultStream, restored });
