import { createHash } from 'node:crypto';
import type {
  CudaAtRequest,
  CudaStart,
  NativeBinding,
  NativeError,
  ReadRequest,
  ReadResult,
  ReadStart,
  TransferRequest,
  TransferStart,
} from '../../lib/binding.js';
import { FakeTransfer, nativeError } from './fake_transfer.js';

export { FakeTransfer, nativeError };

export function beginsWith(name: string, prefixes: readonly string[]): boolean {
  return prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix));
}

interface Fault {
  operation: string;
  matches: RegExp;
  error: NativeError;
  /** The operation is done all the same: its answer was lost. */
  done: boolean;
}

/** The native core without memory or files: one directory tree, and transfers that do what the test says. */
export class FakeBinding implements NativeBinding {
  readonly napiVersion = 9;
  /** By path relative to the root; a directory has no contents. */
  readonly tree = new Map<string, Uint8Array | undefined>();
  readonly calls: string[] = [];
  readonly transfers: FakeTransfer[] = [];
  /** What a transfer does once its files are open. */
  onOpen: (transfer: FakeTransfer) => void = (transfer) => {
    transfer.finish();
  };
  /** Directories that somebody holds. */
  readonly held = new Set<string>();
  readonly #leases = new Map<number, ArrayBuffer>();
  readonly #aborts = new Map<number, () => void>();
  #faults: Fault[] = [];
  #hanging: RegExp | undefined;
  #handles = 0;

  /** The next call of an operation on matching paths fails; with `done` it has its effect all the same. */
  failNext(operation: string, errnoName: string, matches = /(?:)/, done = false): void {
    this.#faults.push({ operation, matches, error: nativeError('system', errnoName, operation), done });
  }

  /** From now on calls that match never answer. */
  hang(matches: RegExp): void {
    this.#hanging = matches;
  }

  names(): string[] {
    return [...this.tree.keys()].filter((path) => !path.includes('/')).sort();
  }

  capabilities(): ReturnType<NativeBinding['capabilities']> {
    const ioUring = { available: true, reason: '' };
    const cuda = { available: false, reason: 'there is none', driverVersion: '', devices: 0 };
    return { ioUring, cuda, memoryReader: 'process_vm_readv', hash: 'scalar', kernel: '0', pageBytes: 4096 };
  }

  digest(bytes: Uint8Array): string {
    return createHash('md5').update(bytes).digest('hex');
  }

  openStore(path: string): Promise<number> {
    return this.#do('openStore', path, () => ++this.#handles);
  }

  openStoreBelow(_store: number, path: string): Promise<number> {
    return this.#do('openStoreBelow', path, () => ++this.#handles);
  }

  countBytes(_store: number, path: string): Promise<number> {
    return this.#do('countBytes', path, () => 0);
  }

  createFile(_store: number, path: string): Promise<number> {
    return this.#do('createFile', path, () => fail('EIO', 'openat2', path));
  }

  closeStore(): Promise<void> {
    return this.#do('closeStore', '', () => undefined);
  }

  makeDirectory(_store: number, path: string, hold: boolean): Promise<void> {
    return this.#do('makeDirectory', path, () => {
      this.#create(path, undefined);
      if (hold) this.held.add(path);
    });
  }

  writeFiles(_store: number, paths: string[], contents: Uint8Array[]): Promise<void> {
    return this.#do('writeFiles', paths.join(' '), () => {
      paths.forEach((path, index) => {
        this.#create(path, contents[index]);
      });
    });
  }

  readFile(_store: number, path: string): Promise<Uint8Array> {
    return this.#do('readFile', path, () => this.tree.get(path) ?? fail('ENOENT', 'openat2', path));
  }

  readTail(_store: number, path: string, maxBytes: number): Promise<Uint8Array> {
    return this.readFile(_store, path).then((bytes) => bytes.subarray(-maxBytes));
  }

  digestFile(_store: number, path: string): Promise<{ digest: string; bytes: number }> {
    return this.readFile(_store, path).then((bytes) => ({ digest: this.digest(bytes), bytes: bytes.length }));
  }

  list(_store: number, path: string, prefixes: string[]): Promise<string[]> {
    const prefix = path === '' ? '' : `${path}/`;
    return this.#do('list', path, () =>
      [...this.tree.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)),
    ).then((names) => names.filter((name) => !name.includes('/') && beginsWith(name, prefixes)));
  }

  rename(_store: number, from: string, to: string): Promise<void> {
    return this.#do('rename', `${from} ${to}`, () => {
      if (!this.tree.has(from)) fail('ENOENT', 'renameat2', from);
      if (this.tree.has(to)) fail('EEXIST', 'renameat2', to);
      this.#move(from, to);
    });
  }

  syncDirectories(_store: number, paths: string[]): Promise<void> {
    return this.#do('syncDirectories', paths.join(' ') || '.', () => undefined);
  }

  removeTree(_store: number, path: string): Promise<void> {
    return this.#do('removeTree', path, () => {
      for (const key of this.#below(path)) this.tree.delete(key);
    });
  }

  reclaim(_store: number, from: string, to: string): Promise<boolean> {
    return this.#do('reclaim', `${from} ${to}`, () => {
      if (this.held.has(from)) return false;
      this.#move(from, to);
      return true;
    });
  }

  createStaging(): ReturnType<NativeBinding['createStaging']> {
    return this.#do('createStaging', '', () => ({
      handle: ++this.#handles,
      engine: 'io_uring' as const,
      engineReason: '',
    }));
  }

  closeStaging(): Promise<void> {
    return this.#do('closeStaging', '', () => undefined);
  }

  allocateLease(bytes: number): ReturnType<NativeBinding['allocateLease']> {
    this.calls.push(`allocateLease ${bytes}`);
    if (bytes > 2 ** 40) throw nativeError('system', 'ENOMEM', 'mmap');
    const lease = { handle: ++this.#handles, buffer: new ArrayBuffer(bytes) };
    this.#leases.set(lease.handle, lease.buffer);
    return lease;
  }

  disposeLease(handle: number, buffer: ArrayBuffer): void {
    this.calls.push(`disposeLease ${handle}`);
    structuredClone(buffer, { transfer: [buffer] });
  }

  cudaMemoryAt(request: CudaAtRequest): CudaStart {
    return this.#cuda('cudaMemoryAt', request.pointer);
  }

  cudaMemoryFromIpc(): CudaStart {
    return this.#cuda('cudaMemoryFromIpc', 0x7f00_0000_0000n);
  }

  allocateCuda(): CudaStart {
    return this.#cuda('allocateCuda', 0x7e00_0000_0000n);
  }

  releaseCuda(handle: number): void {
    this.calls.push(`releaseCuda ${handle}`);
  }

  #cuda(call: string, pointer: bigint): CudaStart {
    const handle = ++this.#handles;
    this.calls.push(`${call} ${handle}`);
    return { handle, pointer };
  }

  startTransfer(_staging: number, request: TransferRequest): TransferStart {
    this.calls.push('startTransfer');
    const transfer = new FakeTransfer(++this.#handles, request);
    this.transfers.push(transfer);
    return transfer.start;
  }

  openFiles(handle: number, _store: number, paths: string[]): void {
    this.calls.push(`openFiles ${paths.join(' ')}`);
    const transfer = this.#transfer(handle);
    if (transfer.ended) throw nativeError('closed');
    transfer.opened = paths;
    // In turn behind the store's earlier calls, as native does it.
    void this.#do('createFiles', paths.join(' '), () => {
      for (const path of paths) this.#create(path, new Uint8Array());
    }).then(
      () => {
        if (!transfer.ended) this.onOpen(transfer);
      },
      (error: unknown) => {
        if (!transfer.ended) transfer.fail(error as Error);
      },
    );
  }

  abortTransfer(handle: number): void {
    this.#transfer(handle).abort();
  }

  transferProgress(handle: number): { stagedBytes: number; writtenBytes: number } | undefined {
    const transfer = this.#transfer(handle);
    return transfer.ended ? undefined : transfer.progress;
  }

  /** Reads from the tree, one turn of the event loop later. */
  startRead(_staging: number, _store: number, request: ReadRequest): ReadStart {
    const handle = ++this.#handles;
    const abort = new Promise<never>((_, reject) => {
      this.#aborts.set(handle, () => {
        reject(nativeError('aborted'));
      });
    });
    const read = this.#do('startRead', request.paths.join(' '), () => this.#read(request));
    const done = Promise.race([read, abort]).finally(() => this.#aborts.delete(handle));
    done.catch(() => undefined);
    return { handle, done };
  }

  abortRead(handle: number): void {
    this.#aborts.get(handle)?.();
  }

  readProgress(handle: number): number | undefined {
    return this.#aborts.has(handle) ? 0 : undefined;
  }

  startFileProbe(): never {
    return fail('ENOTSUP', 'startFileProbe', '');
  }

  startCopyProbe(): never {
    return fail('ENOTSUP', 'startCopyProbe', '');
  }

  abortProbe(): void {
    this.calls.push('abortProbe');
  }

  #read(request: ReadRequest): ReadResult {
    const digests: Buffer[] = [];
    let copy = 0;
    for (const [chunk, bytes] of request.chunkBytes.entries()) {
      const path = request.paths[request.chunkFile[chunk]!]!;
      const offset = request.chunkOffset[chunk]!;
      const contents = (this.tree.get(path) ?? fail('ENOENT', 'openat2', path)).subarray(offset, offset + bytes);
      if (contents.length < bytes) fail('ENODATA', 'read', path);
      if (request.hash) digests.push(Buffer.from(this.digest(contents), 'hex'));
      for (let left = request.chunkCopies[chunk]!; left > 0; left -= 1, copy += 1) {
        const target = request.targets[request.copyTarget[copy]!]!;
        const memory = target instanceof Uint8Array ? target : new Uint8Array(this.#bufferOf(target));
        const from = request.copyFrom[copy]!;
        memory.set(contents.subarray(from, from + request.copyBytes[copy]!), request.copyTo[copy]);
      }
    }
    const readBytes = request.chunkBytes.reduce((sum, bytes) => sum + bytes, 0);
    const reasons = { directReason: '', threadsReason: '', deviceReason: '' };
    const facts = { direct: 'yes', engine: 'io_uring', seconds: 1, cpuSeconds: 1 } as const;
    return { digests: Buffer.concat(digests), readBytes, ...facts, ...reasons };
  }

  #bufferOf(target: ArrayBuffer | number): ArrayBuffer {
    return typeof target === 'number' ? (this.#leases.get(target) ?? fail('EBADF', '', '')) : target;
  }

  #transfer(handle: number): FakeTransfer {
    return this.transfers.find((transfer) => transfer.handle === handle) ?? fail('EBADF', '', '');
  }

  async #do<T>(operation: string, path: string, effect: () => T): Promise<T> {
    const call = `${operation} ${path}`.trim();
    this.calls.push(call);
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#hanging?.test(call)) await new Promise(() => undefined);
    const fault = this.#faults.find((each) => each.operation === operation && each.matches.test(path));
    if (fault === undefined) return effect();
    this.#faults = this.#faults.filter((each) => each !== fault);
    if (fault.done) effect();
    // What is made of it depends on the call, and on where.
    throw operation === 'makeDirectory' ? nativeError('system', fault.error.errnoName, 'mkdirat', path) : fault.error;
  }

  #create(path: string, contents: Uint8Array | undefined): void {
    if (this.tree.has(path)) fail('EEXIST', 'openat', path);
    const parent = path.split('/').slice(0, -1).join('/');
    if (parent !== '' && !this.tree.has(parent)) fail('ENOENT', 'openat', path);
    this.tree.set(path, contents);
  }

  #move(from: string, to: string): void {
    for (const key of this.#below(from)) {
      this.tree.set(`${to}${key.slice(from.length)}`, this.tree.get(key));
      this.tree.delete(key);
    }
    this.held.delete(from);
  }

  #below(path: string): string[] {
    return [...this.tree.keys()].filter((key) => key === path || key.startsWith(`${path}/`));
  }
}

function fail(errnoName: string, syscall: string, path: string): never {
  throw nativeError('system', errnoName, syscall, path);
}

let current = new FakeBinding();

/** A new one, in place of the add-on, for modules that import it mocked by this file. */
export function resetFakeBinding(): FakeBinding {
  current = new FakeBinding();
  return current;
}

/** Stands for the export of `lib/binding.ts`. */
export const binding = new Proxy({} as NativeBinding, {
  get: (_target, property) => {
    const value: unknown = Reflect.get(current, property);
    return typeof value === 'function' ? (value.bind(current) as unknown) : value;
  },
});
