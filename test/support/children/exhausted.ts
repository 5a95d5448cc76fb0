/** Saves with no descriptor free, then with some. */
import { closeSync, openSync } from 'node:fs';
import { CheckpointWriter, SnapshardError } from 'snapshard';
import { childArgument } from '../child.js';

const { root } = childArgument() as { root: string };
const tensors = { a: new Uint8Array(1 << 20) };

function exhaust(): number[] {
  const taken: number[] = [];
  for (;;) {
    try {
      taken.push(openSync('/dev/null', 'r'));
    } catch {
      return taken;
    }
  }
}

async function codeOf(promise: PromiseLike<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return error instanceof SnapshardError ? error.code : String(error);
  }
}

const writer = await CheckpointWriter.open(root, { stagingBytes: 16 << 20 });
const taken = exhaust();
process.send?.(await codeOf(writer.save({ step: 1, tensors })));
// Node itself closes a descriptor now and then.
taken.push(...exhaust());
process.send?.(await codeOf(CheckpointWriter.open(root, { stagingBytes: 16 << 20 })));
for (const descriptor of taken.splice(0)) closeSync(descriptor);
process.send?.(await codeOf(writer.save({ step: 1, tensors })));
await writer.close();
process.disconnect();
