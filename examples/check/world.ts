import { sameFile, type ListedFile, type SaveFacts } from './manifest.js';
import type { RankManifest } from './rank.js';

/** Checks that a rank manifest is of the same save as the manifest, and means the same digests. */
export function requireSameSave(rank: RankManifest, manifest: SaveFacts, digests: ListedFile): void {
  for (const fact of ['step', 'save', 'worldSize'] as const) {
    if (rank[fact] !== manifest[fact]) throw new Error(`its ${fact} is ${rank[fact]}, not ${manifest[fact]}`);
  }
  if (!sameFile(rank.digests, digests)) throw new Error(`it has another ${rank.digests.name} than the manifest`);
}

/** Checks that the manifest lists the side files that the ranks brought, each once, and no other. */
export function checkSideFiles(listed: readonly ListedFile[], ranks: readonly RankManifest[]): void {
  const files = new Map(listed.map((file) => [file.name, file]));
  if (files.size !== listed.length) throw new Error('it lists a side file twice');
  const brought = new Set<string>();
  for (const file of ranks.flatMap(({ sideFiles }) => sideFiles)) {
    const known = files.get(file.name);
    if (known === undefined || !sameFile(known, file)) throw new Error(`it lists ${file.name} unlike a rank does`);
    brought.add(file.name);
  }
  for (const name of files.keys()) if (!brought.has(name)) throw new Error(`it lists ${name}, which no rank brought`);
}
