import { binding } from '../binding.js';
import { SnapshardError } from '../errors.js';
import type { ListedFile, RankFiles } from '../layout/manifest.js';
import { rankManifestName } from '../layout/names.js';
import { parseRankManifest, type RankManifest } from '../layout/rank_manifest_reader.js';
import { TimeSlices } from '../layout/time_slices.js';
import { WorldCoverage } from '../layout/world_coverage.js';
import type { SaveRecords } from './save_records.js';

/** What all ranks handed in, for the manifest. */
export interface CheckedRanks {
  readonly ranks: readonly RankFiles[];
  readonly sideFiles: readonly ListedFile[];
}

const digest = (bytes: Uint8Array): string => binding.digest(bytes);

/** Rank 0's check of what the ranks hand in, one after the other: memory is for one manifest, however many there are. */
export class RankCheck {
  readonly #records: SaveRecords;
  readonly #read: (rank: number) => Promise<Uint8Array>;
  readonly #ranks: RankFiles[] = [];
  readonly #slices = new TimeSlices();
  readonly #coverage = new WorldCoverage(this.#slices);
  /** What is being read while the one before is looked through. */
  #ahead: Promise<Uint8Array> | undefined;

  /** @param read reads a rank manifest */
  constructor(records: SaveRecords, read: (rank: number) => Promise<Uint8Array>) {
    this.#records = records;
    this.#read = read;
  }

  /** The rank whose turn it is. */
  get next(): number {
    return this.#ranks.length;
  }

  /**
   * Reads and checks the manifest of the next rank.
   * @param more whether that of the rank after it is there
   */
  async take(more: boolean): Promise<void> {
    const rank = this.next;
    const name = rankManifestName(rank);
    const contents = await (this.#ahead ?? this.#read(rank));
    this.#ahead = more ? this.#read(rank + 1) : undefined;
    this.#ahead?.catch(() => undefined);
    const manifest = await this.#parse(rank, contents);
    await this.#coverage.add(manifest);
    const listed = { name, bytes: contents.byteLength, digest: digest(contents) };
    this.#ranks.push({ rank, manifest: listed, digests: manifest.digests });
  }

  /** @throws {SnapshardError} what {@link WorldCoverage} finds wrong with all of them together */
  async finish(): Promise<CheckedRanks> {
    const { sideFiles } = await this.#coverage.finish(() => this.#again());
    return { ranks: this.#ranks, sideFiles };
  }

  async *#again(): AsyncGenerator<RankManifest> {
    for (const { rank } of this.#ranks) yield this.#parse(rank, await this.#read(rank));
  }

  async #parse(rank: number, contents: Uint8Array): Promise<RankManifest> {
    const manifest = await parse(rank, contents, this.#slices);
    const { session, key, nonce } = this.#records;
    const expected = { writer: session.roster[rank], step: key.step, save: nonce, worldSize: session.worldSize };
    for (const [field, value] of Object.entries(expected)) {
      const found = manifest[field as keyof typeof expected];
      if (found === value) continue;
      const message = `${rankManifestName(rank)} is of another save: its \`${field}\` is ${found}, not ${value}.`;
      throw new SnapshardError('ERR_SNAPSHARD_RANKS_DISAGREE', message, { ranks: [rank] });
    }
    return manifest;
  }
}

async function parse(rank: number, contents: Uint8Array, slices: TimeSlices): Promise<RankManifest> {
  try {
    return await parseRankManifest(contents, digest, rankManifestName(rank), slices);
  } catch (error) {
    if (!(error instanceof SnapshardError)) throw error;
    throw new SnapshardError(error.code, error.message, { cause: error, ranks: [rank] });
  }
}
