import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Lanes of text read side by side, and how many bytes each gives to one batch. */
const lanes = 8;
const bytesPerLane = 16;
export const batchSize = lanes * bytesPerLane;

/** The text to learn: this repository's documentation and the comments and code that it describes, as bytes. */
export function readCorpus(repository: string): Uint8Array {
  const texts = [
    ...filesIn(repository, '.md', false),
    ...filesIn(join(repository, 'docs'), '.md', true),
    ...filesIn(join(repository, 'lib'), '.ts', true),
  ].map((path) => readFileSync(path));
  return new Uint8Array(Buffer.concat(texts));
}

/** Where in `text` the bytes to predict stand: every lane's next few. The same position gives the same batch. */
export function batchTargets(text: Uint8Array, position: number): number[] {
  const laneBytes = Math.floor(text.length / lanes);
  return Array.from({ length: batchSize }, (_, index) => {
    const lane = Math.floor(index / bytesPerLane);
    return lane * laneBytes + ((position + (index % bytesPerLane)) % laneBytes);
  });
}

export function nextPosition(position: number): number {
  return position + bytesPerLane;
}

function filesIn(directory: string, extension: string, recursive: boolean): string[] {
  return readdirSync(directory, { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => join(directory, name));
}
