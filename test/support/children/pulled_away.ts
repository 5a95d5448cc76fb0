/** Pulls sources away while the threads of a save read them, at random moments, and tells what became of each save. */
import { CheckpointWriter, SnapshardError, type Published, type TensorInput } from 'snapshard';
import { childArgument } from '../child.js';
import { MiB } from '../bytes.js';
import { pulledBytes, pulledMemory, type Way } from '../pulled.js';
import { readTensors } from '../read_back.js';

export interface Tally {
  /** Saves that were published with the bytes that were there at the call. */
  whole: number;
  /** Saves refused with `ERR_SNAPSHARD_SOURCE_DETACHED`. */
  refused: number;
  /** Anything else, which is wrong. */
  wrong: string[];
}

const { root, way, rounds, inPool } = childArgument() as { root: string; way: Way; rounds: number; inPool: boolean };
const stagingBytes = (inPool ? 64 : 4) * MiB;
const writer = await CheckpointWriter.open(root, { stagingBytes, blockBytes: MiB });
const tally: Tally = { whole: 0, refused: 0, wrong: [] };

function count(step: number, saved: Published): void {
  const stored = readTensors(saved.path).get('data')!.bytes;
  if (stored.equals(Buffer.alloc(pulledBytes, (step % 255) + 1))) tally.whole += 1;
  else tally.wrong.push(`step ${step} holds other bytes`);
}

for (let step = 0; step < rounds; step++) {
  const { data, pull } = pulledMemory[way]();
  data.fill((step % 255) + 1);
  const tensors: Record<string, TensorInput> = { before: new Uint8Array(100), data };
  const save = writer.save({ step, tensors });
  if (step % 3 !== 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
  pull();
  try {
    count(step, await save);
  } catch (error) {
    if (error instanceof SnapshardError && error.code === 'ERR_SNAPSHARD_SOURCE_DETACHED') tally.refused += 1;
    else tally.wrong.push(String(error));
  }
}
await writer.save({ step: rounds, tensors: { a: new Uint8Array(9) } });
await writer.close();
process.send?.(tally);
process.disconnect();
