/** Device memory is saved, read back by the format's own rules, and restored. */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { CheckpointWriter, CudaMemory, openCheckpoint, type SaveRequest, type Tensor } from 'snapshard';
import { KiB, MiB, randomBytes } from '../../bytes.js';
import { defaultStream, loadCudaUser } from '../../cuda_user.js';
import { readTensors } from '../../read_back.js';
import { runScenario, type ScenarioArgument } from '../../scenarios.js';

const user = loadCudaUser();
const tightOptions = { stagingBytes: 3 * MiB, blockBytes: MiB };
const device = 0;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const u8 = (data: Tensor['data'], bytes: number): Tensor => ({ dtype: 'U8', shape: [bytes], data });

/** Device memory with these bytes. */
function onDevice(bytes: Uint8Array, ordinal = device): CudaMemory {
  const memory = CudaMemory.allocate(bytes.length, ordinal);
  user.write(ordinal, memory.pointer, bytes, defaultStream);
  user.synchronize(ordinal, defaultStream);
  return memory;
}

function bytesIn(memory: CudaMemory): Uint8Array {
  return user.read(memory.device, memory.pointer, memory.bytes, defaultStream);
}

async function saveOnce(root: string, request: Partial<SaveRequest> & Pick<SaveRequest, 'tensors'>) {
  const writer = await CheckpointWriter.open(root, tightOptions);
  const saved = await writer.save({ step: 1, ...request });
  await writer.close();
  return saved;
}

function expectStored(path: string, expected: ReadonlyMap<string, Uint8Array>): void {
  const stored = readTensors(path);
  assert.deepEqual([...stored.keys()].sort(), [...expected.keys()].sort());
  for (const [name, bytes] of expected) assert.ok(stored.get(name)!.bytes.equals(bytes), `${name} has other bytes`);
}

/** Restores all tensors into new device memory. */
async function expectRestored(path: string, expected: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const checkpoint = await openCheckpoint(path, { stagingBytes: 4 * MiB, blockBytes: 2 * MiB });
  const targets = new Map(
    [...expected].filter(([, { length }]) => length > 0).map(([name, bytes]) => [name, CudaMemory.allocate(bytes.length)]),
  );
  const report = await checkpoint.readInto(targets);
  assert.equal(report.verified, true);
  for (const [name, target] of targets) {
    assert.ok(Buffer.from(bytesIn(target)).equals(expected.get(name)!), `${name} came back with other bytes`);
    target.dispose();
  }
  await checkpoint.close();
}

async function wholeSlicesAndLists({ root }: ScenarioArgument): Promise<unknown> {
  const bytes = [5 * MiB + 3, 2 * MiB, 700].map(randomBytes);
  const [large, even, small] = bytes as [Uint8Array, Uint8Array, Uint8Array];
  const [largeMemory, evenMemory, smallMemory] = bytes.map((some) => onDevice(some)) as [CudaMemory, CudaMemory, CudaMemory];
  const host = randomBytes(MiB + 17);
  const list = [smallMemory, host, evenMemory.slice(100, MiB), new Uint8Array(0), largeMemory.slice(1, 3)];
  const expected = new Map<string, Uint8Array>([
    ['whole', large],
    ['half', even],
    ['first', large.subarray(0, 1000)],
    ['last', large.subarray(large.length - 1001)],
    ['inner', large.subarray(MiB - 1, 3 * MiB + 1)],
    ['list', Buffer.concat([small, host, even.subarray(100, 100 + MiB), large.subarray(1, 4)])],
    ['host', host],
    ['empty', new Uint8Array(0)],
  ]);
  const tensors: Record<string, Tensor> = {
    whole: u8(largeMemory, large.length),
    half: { dtype: 'BF16', shape: [1024, 1024], data: evenMemory },
    first: u8(largeMemory.slice(0, 1000), 1000),
    last: u8(largeMemory.slice(large.length - 1001, 1001), 1001),
    inner: u8(largeMemory.slice(MiB - 1000, 3 * MiB).slice(999, 2 * MiB + 2), 2 * MiB + 2),
    list: u8(list, expected.get('list')!.length),
    host: u8(host, host.length),
    empty: { dtype: 'F32', shape: [0, 3], data: CudaMemory.at({ pointer: 0n, bytes: 0 }) },
  };
  const { path, deviceReason, deviceSnapshot } = await saveOnce(root, { tensors });
  expectStored(path, expected);
  await expectRestored(path, expected);
  for (const memory of [largeMemory, evenMemory, smallMemory]) memory.dispose();
  const digests = Object.fromEntries([...expected].map(([name, some]) => [name, sha256(some)]));
  return { path, digests, deviceReason, deviceSnapshot };
}

async function manySmall({ root, count: given }: ScenarioArgument): Promise<void> {
  const [count, bytes] = [given as number, 256];
  const contents = randomBytes(count * bytes);
  const memory = onDevice(contents);
  // One behind the other in memory, and the other way round in the file.
  const partOf = (index: number): CudaMemory => {
    const offset = (count - 1 - index) * bytes;
    if (index % 2 === 0) return memory.slice(offset, bytes);
    return CudaMemory.at({ pointer: memory.pointer + BigInt(offset), bytes });
  };
  const name = (index: number): string => `t${String(index).padStart(6, '0')}`;
  const tensors = new Map(Array.from({ length: count }, (_, index) => [name(index), u8(partOf(index), bytes)]));
  const { path } = await saveOnce(root, { tensors });
  const stored = readTensors(path);
  for (let index = 0; index < count; index += 1) {
    const offset = (count - 1 - index) * bytes;
    assert.ok(stored.get(name(index))!.bytes.equals(contents.subarray(offset, offset + bytes)), name(index));
  }
  const target = CudaMemory.allocate(contents.length);
  const checkpoint = await openCheckpoint(path);
  await checkpoint.readInto(new Map([...tensors.keys()].map((key, index) => [key, target.slice(index * bytes, bytes)])));
  const restored = Buffer.from(bytesIn(target));
  for (let index = 0; index < count; index += 1) {
    const offset = (count - 1 - index) * bytes;
    const part = restored.subarray(index * bytes, (index + 1) * bytes);
    assert.ok(part.equals(contents.subarray(offset, offset + bytes)), `${name(index)} came back with other bytes`);
  }
  await checkpoint.close();
  target.dispose();
  memory.dispose();
}

/** Each step writes what the save must hold, and the next one overwrites it right after `staged`. */
async function trainingLoop({ root, deviceSnapshot }: ScenarioArgument): Promise<unknown> {
  const [bytes, steps] = [6 * MiB + 5, 8];
  const stream = user.createStream(device);
  const pointer = user.allocate(device, bytes);
  const other = CudaMemory.allocate(64 * KiB);
  user.write(device, other.pointer, new Uint8Array(64 * KiB).fill(99), defaultStream);
  const writer = await CheckpointWriter.open(root, tightOptions);
  const saves: PromiseLike<{ deviceSnapshot: boolean; deviceReason: string }>[] = [];
  for (let step = 0; step < steps; step += 1) {
    user.write(device, pointer, new Uint8Array(bytes).fill(step), stream);
    const tensors = {
      weights: u8(CudaMemory.at({ pointer, bytes, stream }), bytes),
      other: u8(other, other.bytes),
    };
    const save = writer.save({ step, tensors, deviceSnapshot: deviceSnapshot === true });
    saves.push(save);
    await save.staged;
  }
  const published = await Promise.all(saves);
  await writer.close();
  user.synchronize(device, stream);
  for (let step = 0; step < steps; step += 1) {
    const path = `${root}/step-${String(step).padStart(10, '0')}`;
    expectStored(path, new Map([['weights', new Uint8Array(bytes).fill(step)], ['other', new Uint8Array(64 * KiB).fill(99)]]));
  }
  user.free(device, pointer);
  user.destroyStream(device, stream);
  other.dispose();
  return published.map(({ deviceSnapshot: taken, deviceReason }) => ({ taken, deviceReason }));
}

async function severalDevices({ root, devices }: ScenarioArgument): Promise<void> {
  const ordinals = Array.from({ length: devices as number }, (_, ordinal) => ordinal);
  const expected = new Map<string, Uint8Array>();
  const memories: CudaMemory[] = [];
  for (let round = 0; round < 4; round += 1) {
    for (const ordinal of ordinals) {
      const bytes = randomBytes(2 * MiB + 100 * round + ordinal);
      expected.set(`t${round}-${ordinal}`, bytes);
      memories.push(onDevice(bytes, ordinal));
    }
    expected.set(`host${round}`, randomBytes(MiB + round));
  }
  const onDevices = [...expected].filter(([name]) => name.startsWith('t'));
  const tensors = new Map([...expected].map(([name, bytes]) => [name, u8(bytes, bytes.length)]));
  onDevices.forEach(([name, bytes], index) => tensors.set(name, u8(memories[index]!, bytes.length)));
  const { path } = await saveOnce(root, { tensors });
  expectStored(path, expected);
  const checkpoint = await openCheckpoint(path, { cudaDevice: ordinals.at(-1) });
  const targets = onDevices.map(([, { length }], index) => CudaMemory.allocate(length, memories[index]!.device));
  await checkpoint.readInto(new Map(onDevices.map(([name], index) => [name, targets[index]!])));
  targets.forEach((target, index) => {
    const [name, bytes] = onDevices[index]!;
    assert.ok(Buffer.from(bytesIn(target)).equals(bytes), `${name} came back with other bytes`);
  });
  await checkpoint.close();
  for (const memory of [...memories, ...targets]) memory.dispose();
}

await runScenario({ wholeSlicesAndLists, manySmall, trainingLoop, severalDevices });
