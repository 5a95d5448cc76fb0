/** Memory that saves read is dropped, transferred or disposed: the bytes arrive, nothing crashes, nothing is held. */
import { readFileSync } from 'node:fs';
import { CheckpointWriter, type Lease, type Save } from 'snapshard';
import { MiB } from '../bytes.js';
import { childArgument } from '../child.js';
import { readTensors } from '../read_back.js';

const { root } = childArgument() as { root: string };
const bytes = 24 * MiB;
const writer = await CheckpointWriter.open(root, { stagingBytes: 4 * MiB, blockBytes: MiB });

/** Address space of this process, in bytes. */
function mappedBytes(): number {
  const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]);
  return pages * 4096;
}

async function collect(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function startSave(step: number, inPlace: boolean, letGo: (lease: Lease) => void): PromiseLike<{ path: string }> {
  const lease = writer.allocate(bytes);
  new Uint8Array(lease.buffer).fill(step);
  const save = writer.save({ step, tensors: { lease: { dtype: 'U8', shape: [bytes], data: lease } }, inPlace });
  letGo(lease);
  return save;
}

/** Newer versions of Node.js refuse to transfer the memory of an add-on. */
function tryTransfer(lease: Lease): void {
  try {
    structuredClone(lease.buffer, { transfer: [lease.buffer] });
  } catch (error) {
    if ((error as Error).name !== 'DataCloneError') throw error;
  }
}

const ways: [string, (lease: Lease) => void][] = [
  ['dropped', () => undefined],
  ['disposed', (lease) => { lease.dispose(); }],
  ['transferred', tryTransfer],
  ['transferred, then disposed', (lease) => {
    tryTransfer(lease);
    lease.dispose();
  }],
];

let step = 0;
for (const [way, letGo] of ways) {
  for (const inPlace of [false, true]) {
    step += 1;
    const save = startSave(step, inPlace, letGo);
    await collect();
    const { path } = await save;
    const whole = readTensors(path).get('lease')!.bytes.equals(Buffer.alloc(bytes, step));
    if (!whole) process.send?.(`${way}, in place ${inPlace}: other bytes`);
  }
}

const before = mappedBytes();
for (let round = 0; round < 20; round++) new Uint8Array(writer.allocate(64 * MiB).buffer)[0] = 1;
for (let round = 0; round < 20; round++) writer.allocate(64 * MiB).dispose();
await collect();
const grown = mappedBytes() - before;
if (grown > 512 * MiB) process.send?.(`${grown} bytes are still mapped`);

const saves: Save[] = [];
const sources: WeakRef<ArrayBuffer>[] = [];
for (let round = 0; round < 3; round++) {
  const data = new Uint8Array(MiB);
  sources.push(new WeakRef(data.buffer));
  saves.push(writer.save({ step: 100 + round, tensors: { data } }));
}
for (const save of saves) await save;
await collect();
const retained = sources.filter((source) => source.deref() !== undefined).length;
// The last loop variable may still lie on the stack.
if (retained > 1) process.send?.(`${saves.length} saves that ended hold ${retained} sources`);

const kept = writer.allocate(MiB);
await writer.close();
new Uint8Array(kept.buffer).fill(1);
process.send?.('done');
process.disconnect();
