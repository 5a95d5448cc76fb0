/** One check of all ranks, as rank 0 does it, in a process of its own, started by `benchRankCheck`. */
import { binding } from '../lib/binding.js';
import { encodeManifest, type RankFiles } from '../lib/layout/manifest.js';
import { manifestName, rankManifestName } from '../lib/layout/names.js';
import { parseRankManifest, type RankManifest } from '../lib/layout/rank_manifest_reader.js';
import { TimeSlices } from '../lib/layout/time_slices.js';
import { WorldCoverage } from '../lib/layout/world_coverage.js';
import { NativeStore } from '../lib/store/native_store.js';
import { peakResidentBytes, residentBytes } from './resident.js';
import { GiB } from './units.js';

export interface RankCheckResult {
  bytes: number;
  seconds: number;
  /** Of the whole process, other threads' included. */
  cpuSeconds: number;
  /** Of the whole process, and before it began. */
  peakBytes: number;
  beforeBytes: number;
}

const digest = (bytes: Uint8Array): string => binding.digest(bytes);
const never = (): AsyncIterable<RankManifest> => {
  throw new Error('the manifests cover every tensor, and yet are asked for again');
};

/** Reads, digests, parses and checks them one after another, and writes the manifest that names them all. */
async function check(store: NativeStore, worldSize: number): Promise<number> {
  const slices = new TimeSlices();
  const coverage = new WorldCoverage(slices);
  const ranks: RankFiles[] = [];
  let read = store.readFile(rankManifestName(0), GiB);
  let bytes = 0;
  for (let rank = 0; rank < worldSize; rank++) {
    const contents = await read;
    if (rank + 1 < worldSize) read = store.readFile(rankManifestName(rank + 1), GiB);
    const name = rankManifestName(rank);
    const manifest = await parseRankManifest(contents, digest, name, slices);
    await coverage.add(manifest);
    ranks.push({ rank, manifest: { name, bytes: contents.length, digest: digest(contents) }, digests: manifest.digests });
    bytes += contents.length;
  }
  const { sideFiles } = await coverage.finish(never);
  const facts = { step: 1, time: new Date(), worldSize, metadata: '{}', save: 'benchmarka1' };
  const manifest = encodeManifest({ ...facts, files: sideFiles, ranks, indexes: [] }, digest);
  await store.writeFiles([{ path: manifestName, contents: manifest.bytes }]);
  return bytes + manifest.bytes.length;
}

async function measure(folder: string, worldSize: number): Promise<RankCheckResult> {
  const store = await NativeStore.open(folder);
  const beforeBytes = residentBytes();
  const start_ms = performance.now();
  const bytes = await check(store, worldSize);
  const seconds = (performance.now() - start_ms) / 1000;
  const cpu = process.cpuUsage();
  await store.close();
  return { bytes, seconds, cpuSeconds: (cpu.user + cpu.system) / 1e6, peakBytes: peakResidentBytes(), beforeBytes };
}

const [folder = '', ranks = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await measure(folder, Number(ranks))));
