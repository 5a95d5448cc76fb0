/**
 * A checker of checkpoints that shares no code with the library: written from docs/format.md, with another build of the
 * hash. `npx tsx examples/check.ts DIRECTORY…` checks directories and says what it found.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkCoverage } from './check/coverage.js';
import { checkIndex } from './check/index_file.js';
import { readListed, readManifest, type ListedFile, type Manifest } from './check/manifest.js';
import { parseRankManifest, type RankManifest, type ShardEntry } from './check/rank.js';
import { checkShard, DigestCursor } from './check/shard.js';
import { checkSideFiles, requireSameSave } from './check/world.js';

/** What was found, all of it intact. */
export interface CheckResult {
  files: number;
  tensors: number;
  chunks: number;
  bytes: number;
}

/** Reads every byte of a checkpoint. Throws an error that names the file, and says what of it is wrong. */
export function checkCheckpoint(directory: string, signal?: AbortSignal): Promise<CheckResult> {
  return new Checker(directory, signal).check();
}

class Checker {
  readonly #directory: string;
  readonly #signal: AbortSignal | undefined;
  readonly #result: CheckResult = { files: 0, tensors: 0, chunks: 0, bytes: 0 };

  constructor(directory: string, signal: AbortSignal | undefined) {
    this.#directory = directory;
    this.#signal = signal;
  }

  async check(): Promise<CheckResult> {
    const manifest = await this.#naming('manifest.json', () => readManifest(this.#directory));
    this.#count(manifest.bytes);
    const ranks: RankManifest[] = [];
    for (const rank of manifest.ranks) ranks.push(await this.#checkRank(manifest, rank));
    const shards = ranks.flatMap((rank) => rank.shards);
    await this.#naming('manifest.json', () => {
      checkSideFiles(manifest.files, ranks);
    });
    for (const file of manifest.files) await this.#read(file);
    for (const index of manifest.indexes) await this.#checkIndex(index, shards);
    const slices = shards.flatMap((shard) => shard.slices);
    this.#result.tensors = await this.#naming('manifest.json', () => checkCoverage(slices));
    return this.#result;
  }

  async #checkRank(whole: Manifest, { rank, manifest, digests }: Manifest['ranks'][number]): Promise<RankManifest> {
    const contents = await this.#read(manifest);
    const parsed = await this.#naming(manifest.name, () => {
      const own = parseRankManifest(contents, rank);
      requireSameSave(own, whole, digests);
      return own;
    });
    const cursor = new DigestCursor(await this.#read(digests));
    const sliced = whole.worldSize > 1;
    for (const shard of parsed.shards) {
      await this.#naming(shard.name, () => checkShard(this.#directory, { shard, sliced }, cursor, this.#signal));
      this.#count(shard.bytes);
    }
    await this.#naming(digests.name, () => {
      cursor.requireEnd();
    });
    this.#result.chunks += cursor.position;
    return parsed;
  }

  async #checkIndex(index: ListedFile, shards: ShardEntry[]): Promise<void> {
    const contents = await this.#read(index);
    const group = index.name.replace(/\.safetensors\.index\.json$/, '');
    await this.#naming(index.name, () => {
      checkIndex(contents, shards.filter((shard) => shard.group === group));
    });
  }

  async #read(file: ListedFile): Promise<Buffer> {
    const contents = await this.#naming(file.name, () => readListed(this.#directory, file));
    this.#count(contents.length);
    return contents;
  }

  #count(bytes: number): void {
    this.#result.files += 1;
    this.#result.bytes += bytes;
  }

  async #naming<T>(file: string, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#signal?.throwIfAborted();
      const text = error instanceof Error ? error.message : String(error);
      throw new Error(`${join(this.#directory, file)}: ${text}`, { cause: error });
    }
  }
}

async function main(directories: string[]): Promise<void> {
  if (directories.length === 0) throw new Error('Which checkpoints? Give their directories.');
  for (const directory of directories) {
    const { files, tensors, chunks, bytes } = await checkCheckpoint(directory);
    console.log(`${directory}: ${tensors} tensors in ${files} files, ${bytes} bytes, all ${chunks} chunks match`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
