import { TimeSlices } from '../layout/time_slices.js';
import { ChunkDigests } from './chunk_digests.js';
import type { FreshMemory } from './fresh_memory.js';
import { planSlices, type Wanted } from './plan.js';
import { cutWindows } from './plan_windows.js';
import { corruptRead, ReadCheck } from './read_check.js';
import type { ReadOptions } from './read_options.js';
import type { ReadSource } from './read_source.js';
import type { ReadReport, ReadTensor } from './read_types.js';
import { type ReadTotals, readWindows, type TargetMemory } from './read_windows.js';

/** What is wanted, and the memory that its pieces count. */
export interface ReadRequested {
  readonly wanted: readonly Wanted[];
  readonly memory: TargetMemory;
  readonly bytes: number;
}

/** For a read that had nothing to read. */
const nothingRead: ReadTotals = {
  readBytes: 0,
  engine: 'pwrite',
  engineReason: '',
  direct: 'unknown',
  directReason: 'nothing was read',
  deviceReason: '',
  cpuSeconds: 0,
};

/** Reads parts of tensors into memory, and compares them with their digests. */
export class Reader {
  readonly #source: ReadSource;
  readonly #lists: ChunkDigests;

  constructor(source: ReadSource) {
    this.#source = source;
    this.#lists = new ChunkDigests(source);
  }

  /** The digests of single chunks. */
  get lists(): ChunkDigests {
    return this.#lists;
  }

  /** Whether a read with these options compares digests. */
  verifies({ verify = this.#source.options.verify }: ReadOptions): boolean {
    return verify && this.#source.opened.stored.hasDigests;
  }

  /**
   * Resolves when all is in memory and compared.
   * @throws {SnapshardError} `INCOMPLETE_TENSOR`, `CORRUPT`, what the system said; or the signal's reason
   */
  async read(
    { wanted, memory, bytes }: ReadRequested,
    options: ReadOptions,
    slices = new TimeSlices(),
  ): Promise<ReadReport> {
    const began_ms = performance.now();
    const { signal } = options;
    const verified = this.verifies(options);
    const check = new ReadCheck(this.#lists);
    const totals = await readWindows(this.#source, {
      windows: cutWindows(await planSlices(wanted, slices)),
      memory,
      hash: verified,
      signal,
      slices,
      onWindow: (window, { digests }) => {
        if (verified) check.add(window, digests);
      },
    });
    const findings = await check.finish(signal);
    if (findings.length > 0) throw corruptRead(this.#source, this.#lists, findings);
    const seconds = (performance.now() - began_ms) / 1000;
    return { bytes, verified, ...(totals ?? nothingRead), seconds };
  }

  /** As {@link Reader.read}, into memory that nobody else has seen. */
  async readFresh(memory: FreshMemory, options: ReadOptions, slices = new TimeSlices()): Promise<ReadTensor[]> {
    const { verified } = await this.read(memory.request(), options, slices);
    return await memory.tensors(verified, slices);
  }
}
