/** All trials of a run: one after the other, and all of them again, so that what is compared alternates. */
import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { sizeIn } from '../cli/text.js';
import type { TogetherOptions } from './child.js';
import type { CopyEntry, Entry, Outcome, OwnSaveEntry, ReadEntry, SavedFiles, SaveEntry, ScheduledEntry } from './entry.js';
import type { Measured } from './measured.js';
import { cachedBytes, dropFromCache, readThroughCache } from './page_cache.js';
import type { Place } from './place.js';
import { Records } from './records.js';
import type { Row } from './result.js';

export interface Plan {
  readonly own: OwnSaveEntry;
  /** Those that save besides; none where only reading is measured. */
  readonly saves: readonly SaveEntry[];
  readonly reads: readonly ReadEntry[];
  readonly copies: readonly CopyEntry[];
  readonly scheduled?: ScheduledEntry | undefined;
  /** Saves once, uncounted, and only reads then. */
  readonly readsOnly: boolean;
  readonly repeat: number;
  readonly warmup: number;
}

/** Is told what goes on. */
export interface Watcher {
  /** @param round from 0; below 0 it warms up; `undefined` for what is done once */
  begins(row: Entry<never>['row'], round: number | undefined, bytes: number): void;
  /** Of the trial that began last: bytes so far, never more than it was said to have. */
  progress(bytes: number): void;
  /** @param outcome what it gave; or why it failed, where that does not end the run */
  ends(outcome: Measured | string): void;
}

export interface Surroundings {
  readonly place: Place;
  readonly watcher: Watcher;
  readonly signal: AbortSignal;
}

/** All entries, in the order of the result's rows. */
export function entriesOf({ own, saves, reads, copies, scheduled, readsOnly }: Plan): Pick<Entry<never>, 'row' | 'missing' | 'bytes'>[] {
  return [...(readsOnly ? [] : [own]), ...(scheduled === undefined ? [] : [scheduled]), ...saves, ...reads, ...copies];
}

/** @throws what made one of our own trials fail; what others fail with is told in their row */
export async function runRounds(plan: Plan, surroundings: Surroundings): Promise<Row[]> {
  const records = new Records(entriesOf(plan));
  const run = new Run(plan, records, surroundings);
  await (plan.readsOnly ? run.readRounds() : run.saveRounds());
  return records.rows;
}

class Run {
  readonly #plan: Plan;
  readonly #place: Place;
  readonly #watcher: Watcher;
  readonly #signal: AbortSignal;
  readonly #records: Records;

  constructor(plan: Plan, records: Records, { place, watcher, signal }: Surroundings) {
    this.#plan = plan;
    this.#records = records;
    this.#place = place;
    this.#watcher = watcher;
    this.#signal = signal;
  }

  async saveRounds(): Promise<void> {
    const { own, saves, copies, repeat, warmup, scheduled } = this.#plan;
    for (let round = -warmup; round < repeat; round++) {
      // Another one begins each time: none always comes after the same other one.
      for (const entry of rotated([own, ...saves], round + warmup)) {
        if (!this.#records.runs(entry)) continue;
        await this.#place.use(entry.row.id, (folder, startAt_ms) =>
          entry === own
            ? this.#saveAndRead(folder, startAt_ms, round)
            : this.#trial(entry, folder, round, startAt_ms, (outcome) => this.#withCached(folder, outcome)),
        );
      }
      for (const entry of copies) await this.#copy(entry, round);
    }
    if (scheduled !== undefined) await this.#saveOnSchedule(scheduled);
  }

  async readRounds(): Promise<void> {
    const { own, repeat, warmup } = this.#plan;
    await this.#place.use(own.row.id, async (folder, startAt_ms) => {
      const saved = await this.#watched(own, undefined, (onProgress) => own.run(folder, this.#options(startAt_ms, onProgress)));
      const files = savedFiles(saved.path);
      for (let round = -warmup; round < repeat; round++) await this.#readAll(files, round);
    });
  }

  async #saveAndRead(folder: string, startAt_ms: number, round: number): Promise<void> {
    const { own } = this.#plan;
    const saved = await this.#watched(own, round, (onProgress) => own.run(folder, this.#options(startAt_ms, onProgress)));
    this.#records.add(own, round, await this.#withCached(folder, saved));
    await this.#readAll(savedFiles(saved.path), round);
  }

  /** What a save leaves in the page cache is memory that it took. */
  async #withCached(folder: string, outcome: Outcome): Promise<Outcome> {
    const cached = await cachedBytes(filesIn(folder), this.#signal);
    return cached === undefined ? outcome : { ...outcome, sample: { ...outcome.sample, cachedBytes: cached } };
  }

  async #readAll(saved: SavedFiles, round: number): Promise<void> {
    for (const entry of rotated(this.#plan.reads, round + this.#plan.warmup)) {
      if (!this.#records.runs(entry)) continue;
      await this.#place.settle();
      const warning = entry.cache === 'cold' ? await dropFromCache(saved.files, this.#signal) : undefined;
      if (entry.cache === 'warm') await readThroughCache(saved.files, this.#signal);
      const restedAt_ms = await this.#place.settle();
      const cached = await cachedBytes(saved.files, this.#signal);
      await this.#trial(entry, saved, round, restedAt_ms, ({ sample, how }) => ({
        sample: cached === undefined ? sample : { ...sample, cachedBytes: Math.min(cached, sample.bytes) },
        how: [how, cacheText(entry.cache, warning, cached)].filter(Boolean).join('; '),
      }));
    }
  }

  async #copy(entry: CopyEntry, round: number): Promise<void> {
    if (this.#records.runs(entry)) await this.#trial(entry, undefined, round, 0);
  }

  async #saveOnSchedule(entry: ScheduledEntry): Promise<void> {
    await this.#place.use(entry.row.id, async (folder, startAt_ms) => {
      this.#watcher.begins(entry.row, undefined, entry.bytes);
      const { samples, how } = await entry.run(folder, this.#options(startAt_ms, this.#progressOf(entry)));
      // Of no round of the others: there is nothing to set them against.
      samples.forEach((sample, index) => {
        this.#records.add(entry, this.#plan.repeat + index, { sample, how });
      });
      this.#watcher.ends(samples.at(-1)!);
    });
  }

  async #trial<Where>(
    entry: Entry<Where>,
    where: Where,
    round: number,
    startAt_ms: number,
    adjust: (outcome: Outcome) => Outcome | Promise<Outcome> = (outcome) => outcome,
  ): Promise<void> {
    try {
      const outcome = await this.#watched(entry, round, (onProgress) => entry.run(where, this.#options(startAt_ms, onProgress)));
      this.#records.add(entry, round, await adjust(outcome));
    } catch (error) {
      this.#signal.throwIfAborted();
      if (entry.row.kind === 'ours') throw error;
      this.#watcher.ends(this.#records.fail(entry, error));
    }
  }

  async #watched<Result extends Outcome>(
    entry: Entry<never>,
    round: number | undefined,
    run: (onProgress: (bytes: number) => void) => Promise<Result>,
  ): Promise<Result> {
    this.#watcher.begins(entry.row, round, entry.bytes);
    const outcome = await run(this.#progressOf(entry));
    this.#watcher.ends(outcome.sample);
    return outcome;
  }

  #progressOf(entry: Pick<Entry<never>, 'bytes'>): (bytes: number) => void {
    return (bytes) => {
      this.#watcher.progress(Math.min(bytes, entry.bytes));
    };
  }

  #options(startAt_ms: number, onProgress: (bytes: number) => void): Required<TogetherOptions> {
    return { signal: this.#signal, startAt_ms, onProgress, onReady: this.#place.prepared };
  }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const from = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(from), ...list.slice(0, from)];
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function savedFiles(path: string): SavedFiles {
  const files = filesIn(path);
  const shards = files
    .filter((file) => basename(file).endsWith('.safetensors'))
    .map((file) => ({ path: file, bytes: statSync(file).size }))
    .sort((left, right) => right.bytes - left.bytes);
  return { path, files, shards };
}

function cacheText(cache: ReadEntry['cache'], warning: string | undefined, cached: number | undefined): string {
  if (warning !== undefined) return warning;
  const shown = cached === undefined ? ', not shown to be: that takes fincore of util-linux' : '';
  if (cache === 'warm') return `read through the page cache before${shown}`;
  return cached ? `not cold: ${sizeIn(cached)} stayed in the page cache` : `page cache dropped${shown}`;
}
