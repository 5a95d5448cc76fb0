/** What is no device memory, or is not used as it may be, is refused with a code and a message that says why. */
import { strict as assert } from 'node:assert';
import { capabilities, CheckpointWriter, CudaMemory, openCheckpoint } from 'snapshard';
import { MiB } from '../../bytes.js';
import { defaultStream, loadCudaUser } from '../../cuda_user.js';
import { failureOf, runScenario, type ScenarioArgument } from '../../scenarios.js';

const user = loadCudaUser();
const bytes = 4096;
const handle = new Uint8Array(64);

type Attempts = Record<string, () => unknown>;

async function failures(attempts: Attempts): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const [name, attempt] of Object.entries(attempts)) all[name] = await failureOf(attempt);
  return all;
}

const at = (options: object) => (): unknown => CudaMemory.at(options as never);
const fromIpc = (options: object) => (): unknown => CudaMemory.fromIpc(options as never);

/** Wrong in themselves. */
function options(): Promise<unknown> {
  const pointer = 0x7000_0000_0000n;
  assert.equal(capabilities().cuda.available, true);
  return failures({
    misspelt: at({ pointer, bytes, strem: 1n }),
    'no bigint': at({ pointer: 5, bytes }),
    'no pointer': at({ bytes }),
    'negative bytes': at({ pointer, bytes: -1 }),
    'part of a byte': at({ pointer, bytes: 1.5 }),
    'negative device': at({ pointer, bytes, device: -1 }),
    'stream and event': at({ pointer, bytes, stream: 1n, event: 1n }),
    'no event': at({ pointer, bytes, event: 0n }),
    nothing: () => CudaMemory.at(undefined as never),
    'bytes to allocate': () => CudaMemory.allocate('5' as never),
    'handle of 63 bytes': fromIpc({ handle: handle.subarray(1), bytes }),
    'handle of text': fromIpc({ handle: 'handle', bytes }),
    'handle of another allocator': fromIpc({ handle: new Uint8Array(66).fill(1), bytes }),
    'expandable segment': fromIpc({ handle: Uint8Array.of(3, 'e'.charCodeAt(0), ...new Uint8Array(40)), bytes }),
    'negative offset': fromIpc({ handle, bytes, offset: -1 }),
    'event of 3 bytes': fromIpc({ handle, bytes, readyEvent: new Uint8Array(3) }),
  });
}

/** What the driver, or the kernel, knows to be wrong. */
async function memory({ devices }: ScenarioArgument): Promise<unknown> {
  const pointer = user.allocate(0, bytes);
  const freed = user.allocate(0, bytes);
  user.free(0, freed);
  const elsewhere = (devices as number) > 1 ? user.allocate(1, bytes) : 0n;
  const all = await failures({
    'a host pointer': at({ pointer: 0x1000n, bytes }),
    freed: at({ pointer: freed, bytes }),
    'too short': at({ pointer, bytes: bytes + 1_000_000_000_000 }),
    'other device': at({ pointer: elsewhere, bytes }),
    'no such device': at({ pointer, bytes, device: 7 }),
    'a stream that is no address': at({ pointer, bytes, stream: 0x1000n }),
    'an event that is no address': at({ pointer, bytes, event: 0xdead_beef_0000n }),
    'an odd stream': at({ pointer, bytes, stream: 3n }),
    'a handle of nobody': fromIpc({ handle, bytes }),
    'more than there is': () => CudaMemory.allocate(2 ** 50),
    'the right one': at({ pointer, bytes, stream: 2n }),
  });
  user.free(0, pointer);
  if (elsewhere !== 0n) user.free(1, elsewhere);
  return all;
}

async function uses({ root }: ScenarioArgument): Promise<unknown> {
  const writer = await CheckpointWriter.open(root, { stagingBytes: 8 * MiB });
  const live = CudaMemory.allocate(bytes);
  const part = live.slice(8, 16);
  const whole = CudaMemory.allocate(bytes);
  const partOfWhole = whole.slice(0, 8);
  part.dispose();
  whole.dispose();
  whole.dispose();
  user.write(0, live.pointer, new Uint8Array(bytes), defaultStream);
  const tensor = (data: unknown, size: number) => ({ t: { dtype: 'U8', shape: [size], data } });
  const save = (data: unknown, size = bytes) => (): unknown => writer.save({ step: 1, tensors: tensor(data, size) as never });
  const { path } = await writer.save({ step: 0, tensors: tensor(live, bytes) as never });
  const checkpoint = await openCheckpoint(path);
  const twins = [live, CudaMemory.at({ pointer: live.pointer + 4095n, bytes: 1 })];
  const all = await failures({
    disposed: save(whole),
    'slice of what is disposed': save(partOfWhole, 8),
    'disposed slice': save(part, 16),
    'slice of a disposed slice': () => part.slice(0, 1),
    'slice beyond its end': () => live.slice(1, bytes),
    'other bytes than the shape': save(live, bytes - 1),
    'forged object': save({ bytes, pointer: live.pointer, device: 0 }),
    'misspelt flag': () => writer.save({ step: 1, tensors: {}, devicesnapshot: true } as never),
    'flag of another kind': () => writer.save({ step: 1, tensors: {}, deviceSnapshot: 1 } as never),
    'targets that share memory': () => checkpoint.readInto({ t: [live.slice(0, 4095), twins[1]!] }).then(() =>
      checkpoint.readInto([['t', live], ['t', { data: twins[1]!, origin: [0], shape: [1] }]]),
    ),
    'a disposed target': () => checkpoint.readInto({ t: whole }),
    'device of another kind': () => CheckpointWriter.open(root, { cudaDevice: '0' } as never),
    'no such device': () => CheckpointWriter.open(root, { cudaDevice: 99, stagingBytes: 8 * MiB }),
  });
  await checkpoint.close();
  await writer.close();
  live.dispose();
  return all;
}

await runScenario({ options, memory, uses });
