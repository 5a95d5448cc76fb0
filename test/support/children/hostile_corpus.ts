/** Opens what the corpus holds, each as part of a checkpoint, and tells what became of each, and how much memory it took. */
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint, SnapshardError } from 'snapshard';
import { childArgument } from '../child.js';
import { aroundRank, entry, fresh, safetensors } from '../hostile.js';

const { corpus, folder } = childArgument() as { corpus: string; folder: string };

/** Puts a file of the corpus where it belongs; answers what is to be opened. */
const places: Record<string, (name: string, bytes: Uint8Array) => string> = {
  headers(name, bytes) {
    const path = join(fresh(folder, 'headers'), name);
    writeFileSync(path, bytes);
    return path;
  },
  indexes(_, bytes) {
    const path = fresh(folder, 'indexes');
    writeFileSync(join(path, 'x.safetensors'), safetensors(JSON.stringify({ a: entry('U8', [1], 0, 1) }), 1));
    writeFileSync(join(path, 'model.safetensors.index.json'), bytes);
    return path;
  },
  manifests(_, bytes) {
    const path = fresh(folder, 'manifests');
    aroundRank(path, Buffer.from('{}'));
    writeFileSync(join(path, 'manifest.json'), bytes);
    return path;
  },
  ranks(_, bytes) {
    const path = fresh(folder, 'ranks');
    aroundRank(path, bytes);
    return path;
  },
};

async function outcome(path: string): Promise<string> {
  try {
    await using checkpoint = await openCheckpoint(path, { stagingBytes: 2 ** 22, blockBytes: 2 ** 21 });
    return `opened, with ${checkpoint.tensors.size} tensors`;
  } catch (error) {
    return error instanceof SnapshardError ? error.code : `no code: ${String(error)}`;
  }
}

const outcomes: Record<string, string> = {};
for (const [kind, place] of Object.entries(places)) {
  for (const name of readdirSync(join(corpus, kind))) {
    outcomes[`${kind}/${name}`] = await outcome(place(name, readFileSync(join(corpus, kind, name))));
  }
}

/** The longest header that the format allows, full of nothing: a file without blocks. */
const longest = join(fresh(folder, 'longest'), 'x.safetensors');
writeFileSync(longest, safetensors('{', 0, 100_000_000n));
truncateSync(longest, 100_000_008);
outcomes.longest = await outcome(longest);

/** Two headers of ten million small things that nobody asked for. */
const unknown = `{"a":{"x":[${'[],'.repeat(10_000_000)}[]],"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`;
const many = join(fresh(folder, 'many'), 'x.safetensors');
writeFileSync(many, safetensors(unknown, 0));
outcomes.many = await outcome(many);

process.send?.({ outcomes, peakBytes: process.resourceUsage().maxRSS * 1024 });
process.disconnect();
