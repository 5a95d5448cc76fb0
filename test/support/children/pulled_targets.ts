/** Pulls targets away while the threads of a read write to them, at random moments, and tells what became of each read. */
import { CheckpointWriter, openCheckpoint, SnapshardError } from 'snapshard';
import { childArgument } from '../child.js';
import { MiB } from '../bytes.js';
import { pulledBytes, pulledMemory, type Way } from '../pulled.js';

export interface TargetTally {
  /** Reads that gave what was saved, among them those that had ended before their target was taken away. */
  whole: number;
  /** Reads refused with `ERR_SNAPSHARD_TARGET_DETACHED`. */
  refused: number;
  /** Anything else, which is wrong. */
  wrong: string[];
}

const { root, way, rounds } = childArgument() as { root: string; way: Way; rounds: number };
const tensor = { dtype: 'U8', shape: [4096, pulledBytes / 4096], data: new Uint8Array(pulledBytes).fill(7) } as const;
const writer = await CheckpointWriter.open(root, { stagingBytes: 8 * MiB, blockBytes: MiB });
const { path } = await writer.save({ step: 1, tensors: { tensor } });
await writer.close();
const checkpoint = await openCheckpoint(path, { stagingBytes: 4 * MiB, blockBytes: 2 * MiB });
const tally: TargetTally = { whole: 0, refused: 0, wrong: [] };

for (let round = 0; round < rounds; round += 1) {
  const { data, pull } = pulledMemory[way]();
  const holds = (): boolean => data.subarray(0, pulledBytes / 2).every((byte) => byte === 7);
  const half = { origin: [0, 0], shape: [4096, pulledBytes / 8192] };
  // In turn one long run, and as many short ones as there are rows.
  const read = checkpoint.readInto({
    tensor: round % 2 === 0 ? data : { data: data.subarray(0, pulledBytes / 2), ...half },
  });
  // Looked at as soon as it has ended: what is taken away after that can no longer be.
  const held = read.then(holds);
  held.catch(() => undefined);
  if (round % 3 !== 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
  pull();
  try {
    if (await held) tally.whole += 1;
    else tally.wrong.push(`round ${round} gave other bytes`);
  } catch (error) {
    if (error instanceof SnapshardError && error.code === 'ERR_SNAPSHARD_TARGET_DETACHED') tally.refused += 1;
    else tally.wrong.push(String(error));
  }
}
await checkpoint.read('tensor');
await checkpoint.close();
process.send?.(tally);
process.disconnect();
