/** Changes checkpoints at random, and reads what still opens into guarded memory, in random parts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Checkpoint, openCheckpoint, SnapshardError } from 'snapshard';
import { childArgument } from '../child.js';
import { Guarded, type GuardedKind } from '../guarded.js';
import { aroundRank, type Edit, edited, edits, entry, fresh, safetensors, sealText } from '../hostile.js';
import '../property_seed.js';

const { folder, runs } = childArgument() as { folder: string; runs: number };
const bytesReadMax = 2 ** 22;
const tally = { opened: 0, refused: 0, read: 0, notRead: 0 };

const tensors = { a: entry('F32', [2, 3], 0, 24), b: entry('BF16', [], 24, 26), c: entry('U8', [4102], 26, 4128) };
const sharding = (...origins: number[][]): object => ({
  DCP_SHARDING_INFO: JSON.stringify({
    a: { saved_offsets: origins[0] },
    b: { saved_offsets: [] },
    c: { saved_offsets: origins[1] },
  }),
});
const lone = JSON.stringify({ __metadata__: { format: 'pt' }, ...tensors });
const slice = JSON.stringify({ __metadata__: sharding([0, 3], [0]), ...tensors });
const other = JSON.stringify({ __metadata__: sharding([0, 0], [4200]), ...tensors });
const weights = { a: 'x.safetensors', b: 'x.safetensors', c: 'y.safetensors' };
const index = JSON.stringify({ metadata: { total_size: 4128 }, weight_map: weights });
const digest = '0'.repeat(32);
const name = 'model-00001-of-00001.safetensors';
const rankTensor = (own: string, dtype: string, shape: number[], range: number[]): object => {
  return { name: own, dtype, globalShape: shape, origin: shape.map(() => 0), shape, file: 0, range, digest };
};
const rank = JSON.stringify({
  ...{ format: 'snapshard.rank', version: '1.0', rank: 0, writer: 'w0' },
  files: [{ name, bytes: 8216, headerBytes: 4096, group: 'model', digest }],
  tensors: [rankTensor('a', 'F32', [2, 3], [4096, 4120]), rankTensor('c', 'U8', [4096], [4120, 8216])],
  ...{ step: 1, save: 's1', worldSize: 1, sideFiles: [] },
  digests: { name: 'ranks/00000.digests', bytes: 48, digest },
});

/** Ways to write a checkpoint with changes in it; each answers what to open. */
const ways: ((changes: readonly Edit[]) => string)[] = [
  (changes) => {
    const path = join(fresh(folder, 'lone'), 'x.safetensors');
    writeFileSync(path, safetensors(edited(lone, changes), 4128));
    return path;
  },
  (changes) => {
    const path = fresh(folder, 'dcp');
    writeFileSync(join(path, 'x.safetensors'), safetensors(edited(slice, changes), 4128));
    writeFileSync(join(path, 'y.safetensors'), safetensors(other, 4128));
    return path;
  },
  (changes) => {
    const path = fresh(folder, 'indexed');
    for (const file of ['x', 'y']) writeFileSync(join(path, `${file}.safetensors`), safetensors(lone, 4128));
    writeFileSync(join(path, 'model.safetensors.index.json'), edited(index, changes));
    return path;
  },
  (changes) => {
    const path = fresh(folder, 'own');
    writeFileSync(join(path, name), Buffer.alloc(8216, 7));
    aroundRank(path, sealText(edited(rank, changes)), 48);
    return path;
  },
];

interface Part {
  readonly tensor: number;
  /** Where the part begins along each dimension, and how much of the rest it takes: 0 to 1. */
  readonly begin: number;
  readonly extent: number;
  readonly kind: GuardedKind;
  readonly shift: number;
  readonly verify: boolean;
}

const fraction = fc.nat(1000).map((thousandths) => thousandths / 1000);
const part: fc.Arbitrary<Part> = fc.record({
  tensor: fc.nat(99),
  begin: fraction,
  extent: fraction,
  kind: fc.constantFrom<GuardedKind>('buffer', 'shared', 'lease'),
  shift: fc.constantFrom(0, 0, 1, 8, 512, 4095),
  verify: fc.boolean(),
});

/** Whether it went well; anything but a coded error is thrown on. */
async function coded(run: () => Promise<unknown>): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (error) {
    if (error instanceof SnapshardError) return false;
    throw error;
  }
}

async function readPart(checkpoint: Checkpoint, { tensor, begin, extent, kind, shift, verify }: Part): Promise<void> {
  const all = [...checkpoint.tensors.values()];
  const chosen = all[tensor % all.length];
  if (chosen === undefined) return;
  const origin = chosen.shape.map((size) => Math.floor(begin * size));
  const shape = chosen.shape.map((size, at) => Math.floor(extent * (size - origin[at]!)));
  const elements = chosen.shape.reduce((product, size) => product * size, 1);
  const bytes = shape.reduce((product, size) => product * size, chosen.bytes / elements);
  if (!Number.isInteger(bytes) || bytes > bytesReadMax) return;
  const memory = new Guarded(kind, bytes, shift, (size) => checkpoint.allocate(size));
  const read = await coded(() => checkpoint.readInto({ [chosen.name]: { data: memory.view, origin, shape } }, { verify }));
  memory.release();
  tally[read ? 'read' : 'notRead'] += 1;
}

async function look(path: string, parts: readonly Part[]): Promise<void> {
  const opened = await coded(async () => {
    await using checkpoint = await openCheckpoint(path, { stagingBytes: 2 ** 22, blockBytes: 2 ** 21 });
    for (const each of parts) await readPart(checkpoint, each);
    await checkpoint.verify();
    const names = [...checkpoint.tensors.values()].filter(({ bytes }) => bytes < bytesReadMax);
    await coded(() => checkpoint.readAll({ names: names.map((tensor) => tensor.name), verify: false }));
    for (const tensor of names) await coded(() => checkpoint.stream(tensor.name, { verify: false }).next());
  });
  tally[opened ? 'opened' : 'refused'] += 1;
}

const property = fc.asyncProperty(
  fc.constantFrom(...ways),
  edits,
  fc.array(part, { minLength: 1, maxLength: 4 }),
  (write, changes, parts) => look(write(changes), parts),
);
let failure = '';
await fc.assert(property, { numRuns: runs }).catch((error: unknown) => {
  failure = error instanceof Error ? `${error.message}\n${String(error.cause)}` : String(error);
});
process.send?.({ ...tally, failure, peakBytes: process.resourceUsage().maxRSS * 1024 });
process.disconnect();
