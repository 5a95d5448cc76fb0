import { closeSync, openSync, writeSync } from 'node:fs';
import { run } from './disk.js';
import { cachedAt, survivors, type Piece, type PowerLoss } from './loss.js';
import type { DiskRecord } from './recording.js';

function writeAll(path: string, pieces: readonly Piece[]): void {
  const file = openSync(path, 'r+');
  try {
    for (const { offset, data } of pieces) writeSync(file, data, 0, data.length, offset);
  } finally {
    closeSync(file);
  }
}

/** Rebuilds a disk as of one power loss after another, each no earlier than the one before. */
export class Images {
  readonly #records: readonly DiskRecord[];
  /** Holds what is durable. */
  readonly #base: string;
  readonly #sectorBytes: number;
  /** Records that the base has. */
  #durable = 0;

  /** @param base the disk before the first record; it is changed */
  constructor(records: readonly DiskRecord[], base: string, sectorBytes: number) {
    this.#records = records;
    this.#base = base;
    this.#sectorBytes = sectorBytes;
  }

  /** @returns how many writes the disk had in its cache, and of how many pieces some survived */
  async build(random: () => number, { crash, keep }: PowerLoss, path: string): Promise<[cached: number, kept: number]> {
    const { durable, writes } = cachedAt(this.#records, crash);
    const fresh = this.#records.slice(this.#durable, durable);
    writeAll(this.#base, fresh.filter((each) => each.kind === 'write'));
    this.#durable = durable;
    await run('cp', '--sparse=always', this.#base, path);
    const kept = survivors(random, keep, writes, this.#sectorBytes);
    writeAll(path, kept);
    return [writes.length, kept.length];
  }
}
