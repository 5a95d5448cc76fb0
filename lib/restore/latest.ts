import { join } from 'node:path';
import { SnapshardError } from '../errors.js';
import { parsePartialDirectory } from '../layout/names.js';
import { requireRoot } from '../store/arguments.js';
import { hasErrno } from '../store/native_error.js';
import { NativeStore } from '../store/native_store.js';
import { lookAt, reasonOf, type StepName, stepNames } from '../store/published.js';
import { isCheckpointItself } from './nothing_here.js';
import { type OpenedCheckpoint, openOwn } from './open.js';
import { findMissing } from './whole.js';

/** A checkpoint that is not whole. */
export interface PassedOver {
  /** Absolute. */
  readonly path: string;
  readonly step: number;
  readonly reason: string;
}

export interface LatestStored {
  /** The newest that is whole. */
  readonly opened: OpenedCheckpoint;
  /** Those that are newer, and why they are not whole; newest first. */
  readonly passedOver: readonly PassedOver[];
}

/**
 * Looks at the data of a checkpoint. Resolves to what is wrong with it, or to `undefined`; a `SnapshardError` that
 * tells of the checkpoint counts as that, too.
 */
export type DataCheck = (opened: OpenedCheckpoint) => Promise<string | undefined>;

/** How often a root is listed anew because the newest was removed or replaced while it was looked at. */
const looksMax = 10;
const namedMax = 10;
const halfWritten = 'It is half-written: a save is under way, or died.';

/** One directory, opened if it is whole; else why it is not, or that it is gone. */
type Candidate = { readonly opened: OpenedCheckpoint } | { readonly reason: string } | 'gone';

async function checked(opened: OpenedCheckpoint, checkData: DataCheck | undefined): Promise<Candidate> {
  let whole = false;
  try {
    const reason = (await findMissing(opened)) ?? (await checkData?.(opened));
    whole = reason === undefined;
    return reason === undefined ? { opened } : { reason };
  } finally {
    if (!whole) await opened.store.close();
  }
}

async function examine(root: NativeStore, step: StepName, checkData: DataCheck | undefined): Promise<Candidate> {
  const look = await lookAt(root, step);
  if (look.kind === 'gone') return 'gone';
  if (look.kind === 'damaged') return { reason: look.reason };
  try {
    return await checked(await openOwn(root, step.name), checkData);
  } catch (error) {
    if (error instanceof SnapshardError && error.code === 'ERR_SNAPSHARD_NOT_FOUND') return 'gone';
    if (hasErrno(error, 'ESTALE')) return 'gone';
    return { reason: reasonOf(error) };
  }
}

/** Looks for the newest in one root. */
class Search {
  readonly #root: NativeStore;
  readonly #checkData: DataCheck | undefined;
  /** By name: what is not whole. */
  readonly #passedOver = new Map<string, PassedOver>();

  constructor(root: NativeStore, checkData: DataCheck | undefined) {
    this.#root = root;
    this.#checkData = checkData;
  }

  async run(): Promise<LatestStored> {
    for (let look = 0; look < looksMax; look += 1) {
      const names = await this.#root.listRoot();
      const found = await this.#newestOf(names);
      if (found === undefined) throw await this.#nothing();
      if (found !== 'gone') return { opened: found, passedOver: this.#since(found.stored.step ?? 0) };
    }
    const message = `The checkpoints of ${this.#root.root} were removed as fast as they were found: try again.`;
    throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path: this.#root.root });
  }

  async #newestOf(names: readonly string[]): Promise<OpenedCheckpoint | 'gone' | undefined> {
    this.#forgetAllBut(new Set(names));
    for (const name of names) {
      const partial = parsePartialDirectory(name);
      if (partial !== undefined) this.#passOver(name, partial.step, halfWritten);
    }
    for (const step of stepNames(names)) {
      if (this.#passedOver.has(step.name)) continue;
      const candidate = await examine(this.#root, step, this.#checkData);
      if (candidate === 'gone') return 'gone';
      if ('opened' in candidate) return candidate.opened;
      this.#passOver(step.name, step.step, candidate.reason);
    }
    return undefined;
  }

  #passOver(name: string, step: number, reason: string): void {
    this.#passedOver.set(name, { path: join(this.#root.root, name), step, reason });
  }

  #forgetAllBut(names: ReadonlySet<string>): void {
    for (const name of [...this.#passedOver.keys()]) {
      if (!names.has(name)) this.#passedOver.delete(name);
    }
  }

  /** From a step on, newest first. */
  #since(step: number): PassedOver[] {
    const passedOver = [...this.#passedOver.values()].filter((each) => each.step >= step);
    return passedOver.sort((left, right) => right.step - left.step);
  }

  async #nothing(): Promise<SnapshardError> {
    const root = this.#root.root;
    const passedOver = this.#since(0);
    const shown = passedOver.slice(0, namedMax).map(({ path, reason }) => `\n  ${path}: ${reason}`);
    const more = passedOver.length > namedMax ? `\n  and ${passedOver.length - namedMax} more` : '';
    const itself = (await isCheckpointItself(this.#root)) ? ' It is a checkpoint itself: use openCheckpoint().' : '';
    const what = passedOver.length === 0 ? `no checkpoint.${itself}` : 'no checkpoint that is whole:';
    const message = `${root} holds ${what}${shown.join('')}${more}`;
    return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path: root });
  }
}

/**
 * Opens the newest checkpoint that is whole: its manifests are intact, and every file is there at its exact length.
 * @param root the directory that holds the checkpoints
 * @param checkData where it is given, what it finds counts too
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND`, naming those passed over, where there is none
 */
export async function openLatestStored(root: string, checkData?: DataCheck): Promise<LatestStored> {
  requireRoot(root);
  const store = await NativeStore.open(root, 'use');
  try {
    return await new Search(store, checkData).run();
  } finally {
    await store.close();
  }
}
