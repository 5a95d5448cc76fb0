/** Tensors of a file, put where the driver and CudaMemory.allocate have memory in this process, saved and restored. */
import { strict as assert } from 'node:assert';
import { CheckpointWriter, CudaMemory, openCheckpoint, type Dtype, type Tensor } from 'snapshard';
import { defaultStream, loadCudaUser } from '../../cuda_user.js';
import { readShard, type StoredTensor } from '../../read_back.js';
import { runScenario, type ScenarioArgument } from '../../scenarios.js';

const user = loadCudaUser();
const device = 0;

/** Named by its address, whosever it is; freed when the process ends. */
function addressOf(index: number, bytes: number, kept: CudaMemory[]): bigint {
  if (index % 2 === 0) return user.allocate(device, bytes);
  const memory = CudaMemory.allocate(bytes, device);
  kept.push(memory);
  return memory.pointer;
}

async function savedAndRestored({ root, file, deviceSnapshot }: ScenarioArgument): Promise<unknown> {
  const made = [...readShard(file as string)].filter(([, { bytes }]) => bytes.length > 0);
  const stream = user.createStream(device);
  const kept: CudaMemory[] = [];
  const places = made.map(([name, stored], index) => {
    return { name, stored, pointer: addressOf(index, stored.bytes.length, kept) };
  });
  const memoryOf = (pointer: bigint, { bytes }: StoredTensor) =>
    CudaMemory.at({ pointer, bytes: bytes.length, device, stream });
  const fill = (bytesOf: (stored: StoredTensor) => Uint8Array): void => {
    for (const { stored, pointer } of places) user.write(device, pointer, bytesOf(stored), stream);
  };

  fill(({ bytes }) => bytes);
  const tensors = places.map(({ name, stored, pointer }): [string, Tensor] => {
    const { dtype, shape } = stored;
    return [name, { dtype: dtype as Dtype, shape, data: memoryOf(pointer, stored) }];
  });
  const writer = await CheckpointWriter.open(root, { cudaDevice: device });
  const save = writer.save({ step: 1, tensors: new Map(tensors), deviceSnapshot: deviceSnapshot === true });
  await save.staged;
  fill(({ bytes }) => new Uint8Array(bytes.length).fill(0xee));
  const { path, deviceSnapshot: taken, deviceReason } = await save;
  await writer.close();

  const checkpoint = await openCheckpoint(path, { cudaDevice: device });
  await checkpoint.readInto(new Map(places.map(({ name, stored, pointer }) => [name, memoryOf(pointer, stored)])));
  for (const { name, stored, pointer } of places) {
    const restored = user.read(device, pointer, stored.bytes.length, stream);
    assert.ok(stored.bytes.equals(restored), `${name} came back with other bytes`);
  }
  await checkpoint.close();
  for (const { pointer } of places.filter((_, index) => index % 2 === 0)) user.free(device, pointer);
  for (const memory of kept) memory.dispose();
  user.synchronize(device, defaultStream);
  user.destroyStream(device, stream);
  return { path, taken, deviceReason };
}

await runScenario({ savedAndRestored });
