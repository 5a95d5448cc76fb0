import { binding, type CudaHandle, type CudaStart } from '../binding.js';
import { SnapshardError } from '../errors.js';
import { invalid } from '../options/validate.js';
import { toSnapshardError } from '../store/native_error.js';
import { describe } from '../tensor/describe.js';
import type { CudaSource, CudaWhole } from '../tensor/source.js';
import { checkAllocate, checkAt, checkFromIpc, type CudaMemoryAt, type CudaMemoryFromIpc } from './cuda_options.js';

/** What an object and its slices have in common. Native lets go of it once: disposed and used no more, or collected. */
class Whole implements CudaWhole {
  readonly handle: CudaHandle;
  readonly pointer: bigint;
  disposed = false;
  #uses = 0;

  constructor({ handle, pointer }: CudaStart) {
    this.handle = handle;
    this.pointer = pointer;
    collected.register(this, handle, this);
  }

  use(): void {
    this.#uses += 1;
  }

  endUse(): void {
    this.#uses -= 1;
    this.#release();
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.#release();
  }

  #release(): void {
    if (!this.disposed || this.#uses > 0) return;
    collected.unregister(this);
    binding.releaseCuda(this.handle);
  }
}

const collected = new FinalizationRegistry<CudaHandle>((handle) => {
  binding.releaseCuda(handle);
});

interface Stretch {
  readonly whole: Whole;
  readonly offset: number;
  readonly bytes: number;
  readonly isSlice: boolean;
  disposed: boolean;
}

const stretches = new WeakMap<object, Stretch>();

const isDisposed = ({ whole, disposed }: Stretch): boolean => disposed || whole.disposed;
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** The device memory that a value names, disposed or not. */
export function cudaOf(value: object): CudaSource | undefined {
  const stretch = stretches.get(value);
  if (stretch === undefined) return undefined;
  const { whole, offset, bytes } = stretch;
  return { whole, offset, bytes, disposed: isDisposed(stretch) };
}

/** Keeps device memory, also if it is disposed of, until the function that it returns is called. */
export function keepCuda(wholes: Iterable<CudaWhole>): () => void {
  const kept = [...wholes].filter((whole) => whole instanceof Whole);
  for (const whole of kept) whole.use();
  return () => {
    for (const whole of kept) whole.endUse();
  };
}

/**
 * Contiguous memory of a GPU, as the data of tensors and the target of reads. It is named, not copied: whose it is keeps
 * it there, and saves read it, until `staged`. The calls that make one are synchronous; the first for a GPU sets up its
 * context, which can take some hundred milliseconds.
 */
export class CudaMemory {
  readonly bytes: number;
  /** The GPU that it is on, by its number. */
  readonly device: number;
  /** Its address in this process. */
  readonly pointer: bigint;
  readonly #stretch: Stretch;

  private constructor(stretch: Stretch, device: number) {
    this.bytes = stretch.bytes;
    this.device = device;
    this.pointer = stretch.whole.pointer + BigInt(stretch.offset);
    this.#stretch = stretch;
    stretches.set(this, stretch);
  }

  /**
   * Memory that this process has already, and frees itself: not before what uses it has ended.
   * @throws {SnapshardError} `INVALID_ARGUMENT`, also for what the driver does not know as memory of that GPU, that long;
   *   `CUDA_UNAVAILABLE`; `CUDA`
   */
  static at(options: CudaMemoryAt): CudaMemory {
    const { bytes, ...place } = checkAt(options);
    return CudaMemory.#make(place.device, bytes, `name device memory at 0x${place.pointer.toString(16)}`, () =>
      binding.cudaMemoryAt({ ...place, bytes }),
    );
  }

  /**
   * Memory of another process, opened once however often it is named, and closed with the last that names it.
   * @throws {SnapshardError} as {@link CudaMemory.at}
   */
  static fromIpc(options: CudaMemoryFromIpc): CudaMemory {
    const checked = checkFromIpc(options);
    return CudaMemory.#make(checked.device, checked.bytes, 'open device memory of another process', () =>
      binding.cudaMemoryFromIpc(checked),
    );
  }

  /**
   * Memory of its own, not zeroed; it goes when it is disposed or collected, and nothing uses it.
   * @throws {SnapshardError} `INVALID_ARGUMENT`, `NO_MEMORY`, `CUDA_UNAVAILABLE`, `CUDA`
   */
  static allocate(bytes: number, device = 0): CudaMemory {
    const checked = checkAllocate({ bytes, device });
    return CudaMemory.#make(checked.device, checked.bytes, `allocate ${bytes} bytes on GPU ${device}`, () =>
      binding.allocateCuda(checked.device, checked.bytes),
    );
  }

  /**
   * A part of it, which lives as long as the whole does, and with which the whole lives.
   * @throws {SnapshardError} `INVALID_ARGUMENT` for what does not lie in it; `CLOSED`
   */
  slice(offset: number, bytes: number): CudaMemory {
    const { whole, offset: begin } = this.#stretch;
    if (isDisposed(this.#stretch)) throw new SnapshardError('ERR_SNAPSHARD_CLOSED', 'The CudaMemory is disposed.');
    if (!isCount(offset) || !isCount(bytes) || offset + bytes > this.bytes) {
      const received = `${describe(bytes)} from ${describe(offset)} on`;
      throw invalid(`Expected a slice within the ${this.bytes} bytes of the CudaMemory but received ${received}.`);
    }
    const stretch = { whole, offset: begin + offset, bytes, isSlice: true, disposed: false };
    return new CudaMemory(stretch, this.device);
  }

  /**
   * Ends its use, and that of its slices; of a slice, its own alone. Saves and reads under way are not disturbed: what is
   * ours of it is freed right after the last of them.
   */
  dispose(): void {
    const stretch = this.#stretch;
    stretch.disposed = true;
    if (!stretch.isSlice) stretch.whole.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  static #make(device: number, bytes: number, action: string, start: () => CudaStart): CudaMemory {
    try {
      const stretch = { whole: new Whole(start()), offset: 0, bytes, isSlice: false, disposed: false };
      return new CudaMemory(stretch, device);
    } catch (error) {
      throw toSnapshardError(error, { action });
    }
  }
}
