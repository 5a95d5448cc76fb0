import { binding } from '../binding.js';
import { SnapshardError } from '../errors.js';
import type { Metadata } from '../layout/metadata.js';
import { TimeSlices } from '../layout/time_slices.js';
import { keepCuda } from '../memory/cuda_memory.js';
import { allocateLease, type Lease } from '../memory/lease.js';
import { requireRoot } from '../store/arguments.js';
import { invalidArgument, iterate, quote } from '../tensor/describe.js';
import { TensorInfos } from './describe_tensors.js';
import { readSideFile } from './foreign_side_files.js';
import { FreshMemory } from './fresh_memory.js';
import { openLatestStored, type PassedOver } from './latest.js';
import { openStored, type OpenedCheckpoint } from './open.js';
import {
  checkReadAllOptions,
  checkReadOptions,
  checkStreamOptions,
  checkVerifyOptions,
  resolveCheckpointOptions,
  resolveLatestOptions,
  type CheckpointOptions,
  type LatestOptions,
  type ReadAllOptions,
  type ReadOptions,
  type StreamOptions,
  type VerifyOptions,
} from './read_options.js';
import { ReadSource } from './read_source.js';
import type { ReadReport, ReadTensor, SideFileInfo, Slice, Targets, TensorInfo } from './read_types.js';
import { Reader } from './reader.js';
import { checkSlice, requireSlice } from './slice_argument.js';
import type { CheckpointFormat, StoredTensor } from './stored.js';
import { streamTensor } from './stream.js';
import { changedTarget, collectTargets } from './targets.js';
import { TakenTargets } from './targets_taken.js';
import { Verification } from './verification.js';
import { firstDamage } from './verify.js';

const tensorsBetweenChecks = 256;

/**
 * An open checkpoint: what its manifests say, and its data when that is asked for. Reads may go on at once. What has
 * not been compared with its digest is not handed out, unless `verify: false` was given.
 */
export class Checkpoint {
  /** Those that {@link latestCheckpoint} passed over, newest first, and why they are not whole. */
  readonly passedOver: readonly PassedOver[];
  readonly #opened: OpenedCheckpoint;
  readonly #source: ReadSource;
  readonly #reader: Reader;
  readonly #tensors: TensorInfos;
  #files: ReadonlyMap<string, SideFileInfo> | undefined;

  /** @internal made by {@link openCheckpoint} and {@link latestCheckpoint} */
  constructor(source: ReadSource, passedOver: readonly PassedOver[] = []) {
    this.passedOver = passedOver;
    this.#opened = source.opened;
    this.#source = source;
    this.#reader = new Reader(source);
    this.#tensors = new TensorInfos(source.opened.stored);
  }

  /** Absolute: of its directory, or of the lone file that it is. */
  get path(): string {
    return this.#opened.path;
  }

  get format(): CheckpointFormat {
    return this.#opened.stored.format;
  }

  /** Whether there are digests to compare with: in our own only. What others wrote is read as it is. */
  get hasDigests(): boolean {
    return this.#opened.stored.hasDigests;
  }

  /** Whether reads compare what they hand out with digests, unless told otherwise. */
  get verified(): boolean {
    return this.#reader.verifies({});
  }

  get step(): number | undefined {
    return this.#opened.stored.step;
  }

  get time(): Date | undefined {
    return this.#opened.stored.time;
  }

  /** Of its manifest, which covers everything else. */
  get digest(): string | undefined {
    return this.#opened.stored.digest;
  }

  get worldSize(): number | undefined {
    return this.#opened.stored.worldSize;
  }

  get metadata(): Metadata {
    return this.#opened.stored.metadata;
  }

  /** By name; each is put into words when it is first asked for. */
  get tensors(): ReadonlyMap<string, TensorInfo> {
    return this.#tensors;
  }

  /** Side files, by name. */
  get files(): ReadonlyMap<string, SideFileInfo> {
    this.#files ??= new Map(Array.from(this.#opened.stored.sideFiles, ([name, info]) => [name, { ...info }]));
    return this.#files;
  }

  /**
   * A tensor, or a slice of it, in memory of its own.
   * @throws {SnapshardError} `INVALID_ARGUMENT`, also for more than one `ArrayBuffer` holds; `SHAPE_MISMATCH` for a
   *   slice that does not lie in the tensor; and as {@link Checkpoint.readInto}
   */
  async read(name: string, slice?: Partial<Slice>, options?: ReadOptions): Promise<ReadTensor> {
    const checked = checkReadOptions(options, 'read');
    const tensor = this.#tensor(name);
    requireSlice(tensor.name, slice);
    const memory = new FreshMemory();
    this.#source.requireOpen();
    memory.add(tensor, checkSlice(tensor, slice));
    const [read] = await this.#source.run(() => this.#reader.readFresh(memory, checked));
    return read!;
  }

  /**
   * Reads tensors, or slices of them, into memory of the caller's, whatever slices they were saved in. Their list is
   * taken at the call, and checked as the event loop goes on. If it fails, the targets hold anything.
   * @throws {SnapshardError} what is wrong with the targets (`INVALID_ARGUMENT`, `DTYPE_MISMATCH`, `SHAPE_MISMATCH`);
   *   `NOT_FOUND` for a tensor, or a checkpoint, that is not there; `INCOMPLETE_TENSOR`; `CORRUPT`;
   *   `TARGET_DETACHED`; `CLOSED`
   */
  async readInto(targets: Targets, options?: ReadOptions): Promise<ReadReport> {
    const checked = checkReadOptions(options, 'readInto');
    this.#source.requireOpen();
    const taken = new TakenTargets(targets);
    const letGo = keepCuda(Array.from(taken.cuda.values(), ({ whole }) => whole));
    try {
      return await this.#source.run(() => this.#readTaken(taken, checked));
    } finally {
      letGo();
    }
  }

  /**
   * All tensors, or those of some groups or names, each in memory of its own.
   * @throws {SnapshardError} as {@link Checkpoint.read}
   */
  async readAll(options?: ReadAllOptions): Promise<Map<string, ReadTensor>> {
    const checked = checkReadAllOptions(options);
    this.#source.requireOpen();
    const chosen = this.#choose(checked);
    return await this.#source.run(() => this.#readChosen(chosen, checked));
  }

  /**
   * A tensor of any size, piece by piece in C order, each compared with its digests and in memory of its own.
   * @throws {SnapshardError} at the call `INVALID_ARGUMENT`, `NOT_FOUND`; as it goes on, as {@link Checkpoint.readInto}
   */
  stream(name: string, options?: StreamOptions): AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined> {
    const checked = checkStreamOptions(options);
    this.#source.requireOpen();
    return streamTensor(this.#source, this.#reader, this.#tensor(name), checked);
  }

  /**
   * The bytes of a side file.
   * @throws {SnapshardError} `INVALID_ARGUMENT`, `NOT_FOUND`, `CORRUPT`, `NO_MEMORY`
   */
  async file(name: string, options?: ReadOptions): Promise<Uint8Array> {
    const { signal, verify = this.#source.options.verify } = checkReadOptions(options, 'file');
    const { sideFiles } = this.#opened.stored;
    if (typeof (name as unknown) !== 'string') throw invalidArgument('the name of a side file', 'a string', name);
    const listed = sideFiles.get(name);
    if (listed === undefined) throw this.#notThere('side file', name, sideFiles);
    signal?.throwIfAborted();
    const { bytes, digest } = listed;
    const contents = await this.#source.run(() => readSideFile(this.#opened, listed));
    signal?.throwIfAborted();
    const wrong = contents.length !== bytes || (digest !== undefined && binding.digest(contents) !== digest);
    if (!verify || !wrong) return contents;
    const path = this.#source.pathOf(name);
    throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', `The side file ${path} is not what was saved.`, { path });
  }

  /** Reads everything at the speed of the device and compares it; damage is listed, not thrown. */
  verify(options?: VerifyOptions): Verification {
    const { signal } = checkVerifyOptions(options);
    this.#source.requireOpen();
    return new Verification(this.#source, this.#reader.lists, signal);
  }

  /**
   * Memory that reads write to with no detour; it outlives the checkpoint.
   * @throws {SnapshardError} `INVALID_ARGUMENT`, also for more than one `ArrayBuffer` holds; `NO_MEMORY`; `CLOSED`
   */
  allocate(bytes: number): Lease {
    this.#source.requireOpen();
    return allocateLease(bytes);
  }

  /** Waits for the reads under way, and gives memory and descriptors back. */
  close(): Promise<void> {
    return this.#source.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #tensor = (name: unknown): StoredTensor => {
    const { tensors } = this.#opened.stored;
    const tensor = typeof name === 'string' ? tensors.get(name) : undefined;
    if (tensor !== undefined) return tensor;
    throw typeof name === 'string'
      ? this.#notThere('tensor', name, tensors)
      : invalidArgument('the name of a tensor', 'a string', name);
  };

  async #readTaken(taken: TakenTargets, options: ReadOptions): Promise<ReadReport> {
    const slices = new TimeSlices();
    const { wanted, memory, bytes } = await collectTargets(taken, this.#tensor, slices);
    const targets = { targets: memory.sources as never[], targetKinds: memory.sourceKinds };
    const report = await this.#reader.read({ wanted, bytes, memory: targets }, options, slices);
    const changed = changedTarget(memory);
    if (changed !== undefined) throw changed;
    return report;
  }

  async #readChosen(chosen: readonly StoredTensor[], options: ReadOptions): Promise<Map<string, ReadTensor>> {
    const slices = new TimeSlices();
    const memory = new FreshMemory();
    for (const [index, tensor] of chosen.entries()) {
      memory.add(tensor, checkSlice(tensor, undefined));
      if (index % tensorsBetweenChecks === 0 && slices.spent) await slices.pause();
    }
    const byName = new Map<string, ReadTensor>();
    for (const [index, read] of (await this.#reader.readFresh(memory, options, slices)).entries()) {
      byName.set(chosen[index]!.name, read);
      if (index % tensorsBetweenChecks === 0 && slices.spent) await slices.pause();
    }
    return byName;
  }

  #choose({ groups, names }: ReadAllOptions): StoredTensor[] {
    const { tensors } = this.#opened.stored;
    const chosen = names === undefined ? [...tensors.values()] : Array.from(new Set(listed(names, 'names')), this.#tensor);
    if (groups === undefined) return chosen;
    const wanted = new Set(listed(groups, 'groups'));
    const known = new Map<string, boolean>();
    for (const { group } of tensors.values()) known.set(group, true);
    for (const group of wanted) {
      if (typeof (group as unknown) !== 'string') throw invalidArgument('the name of a group', 'a string', group);
      if (!known.has(group)) throw this.#notThere('group', group, known);
    }
    return chosen.filter(({ group }) => wanted.has(group));
  }

  #notThere(what: string, name: string, known: ReadonlyMap<string, unknown>): SnapshardError {
    const some = [...known.keys()].slice(0, 8).map(quote).join(', ');
    const there = known.size === 0 ? `It has none.` : `It has ${known.size}: ${some}${known.size > 8 ? ', …' : ''}.`;
    const message = `There is no ${what} ${quote(name)} in the checkpoint ${this.path}. ${there}`;
    return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path: this.path });
  }
}

function listed(names: Iterable<string>, option: string): Iterable<string> {
  return iterate(names, `\`${option}\``, 'a list of names');
}

/**
 * Opens a checkpoint of our own, a safetensors file, a Hugging Face folder or one of PyTorch DCP. Manifests and headers
 * are read and checked, no data.
 * @throws {SnapshardError} `INVALID_ARGUMENT`; as {@link openStored}
 */
export async function openCheckpoint(path: string, options?: CheckpointOptions): Promise<Checkpoint> {
  const resolved = resolveCheckpointOptions(options);
  return new Checkpoint(new ReadSource(await openStored(path), resolved));
}

/**
 * Opens the newest checkpoint of a root that is whole: manifests intact, every file there at its exact length, and, with
 * `verifyFirst`, all data as it was saved.
 * @throws {SnapshardError} `INVALID_ARGUMENT`; `NOT_FOUND`, naming those passed over, where there is none
 */
export async function latestCheckpoint(root: string, options?: LatestOptions): Promise<Checkpoint> {
  requireRoot(root);
  const { verifyFirst, ...resolved } = resolveLatestOptions(options);
  const checkData = (opened: OpenedCheckpoint): Promise<string | undefined> => firstDamage(opened, resolved);
  const { opened, passedOver } = await openLatestStored(root, verifyFirst ? checkData : undefined);
  return new Checkpoint(new ReadSource(opened, resolved), passedOver);
}
