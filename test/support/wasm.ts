/** What these tests use of `WebAssembly.Memory`, which the types of Node.js 20 leave out. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

export interface WasmMemoryOptions {
  initial: number;
  maximum: number;
  shared?: boolean;
}

/** Pages are of 64 KiB. */
export function makeMemory(options: WasmMemoryOptions): WasmMemory {
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (o: WasmMemoryOptions) => WasmMemory } })
    .WebAssembly;
  return new Memory(options);
}
