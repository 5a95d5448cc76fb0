import type { Program } from './program.js';
import type { Memory } from './memory.js';

const names = ['a', 'layers.0.wq', 'é', 'b'.repeat(200), 'norm', 'toString', '__proto__ '];

export interface Wanted {
  readonly args: unknown[];
  readonly step: number;
  /** As they were at the call; `undefined` where that is not known. */
  readonly bytes: ReadonlyMap<string, Buffer> | undefined;
  readonly sources: readonly { readonly memory: Memory; readonly version: number }[];
}

function lengthOf(memory: Memory): number {
  return memory.bytes()?.byteLength ?? 0;
}

/** A tensor of all bytes of a memory, in one of the ways to say so. */
function tensorOf({ dice, hook }: { dice: Program['dice']; hook: () => void }, memory: Memory): unknown {
  const bytes = lengthOf(memory);
  const data = memory.data();
  if (data instanceof Uint8Array && data.length === bytes && dice.chance(0.3)) return data;
  const shape = bytes % 8 === 0 && dice.chance(0.3) ? [bytes / 8] : [bytes];
  const dtype = shape[0] === bytes ? dice.pick(['U8', 'I8', 'BOOL', 'F8_E4M3']) : 'F64';
  const raw = data instanceof DataView || data instanceof Uint8Array || Array.isArray(data) || !ArrayBuffer.isView(data);
  const tensor: Record<string, unknown> = { dtype: raw ? dtype : 'U8', shape, data };
  if (dice.chance(0.2)) tensor.group = dice.pick(['optimizer', 'model', 'z9_-']);
  if (dice.chance(0.1)) tensor.replicas = dice.pick<unknown>(['all', [0]]);
  if (dice.chance(0.1)) Object.assign(tensor, { globalShape: [...shape], origin: [0] });
  if (!dice.chance(0.1)) return tensor;
  const key = dice.pick(['dtype', 'shape', 'data']);
  const value = tensor[key];
  return Object.defineProperty(tensor, key, {
    enumerable: true,
    configurable: true,
    get: () => {
      hook();
      return value;
    },
  });
}

export function* oneByOne(entries: readonly (readonly [string, unknown])[], hook: () => void): Generator<readonly [string, unknown]> {
  for (const entry of entries) {
    hook();
    yield entry;
  }
  hook();
}

function metadataOf(program: Program): unknown {
  const { dice } = program;
  if (dice.chance(0.6)) return undefined;
  if (dice.chance(0.7)) return { epoch: 3, loss: 1.5, nested: { list: [1, 'two', null] } };
  return dice.pick<() => unknown>([
    () => ({ toJSON: () => { program.hook(); return { a: 1 }; } }),
    () => Object.defineProperty({}, 'a', { enumerable: true, get: () => { program.hook(); return 1; } }),
  ])();
}

function requestOf(program: Program, entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const { dice } = program;
  const hook = (): void => { program.hook(); };
  const tensors = dice.pick<() => unknown>([
    () => Object.fromEntries(entries),
    () => new Map(entries),
    () => [...entries],
    () => oneByOne(entries, hook),
  ])();
  const request: Record<string, unknown> = { step: dice.below(5), tensors };
  const metadata = metadataOf(program);
  if (metadata !== undefined) request.metadata = metadata;
  if (dice.chance(0.2)) request.files = { 'config.json': '{}', 'state.bin': new Uint8Array(dice.below(5000)) };
  if (dice.chance(0.6)) request.overwrite = true;
  if (dice.chance(0.25)) request.inPlace = true;
  if (dice.chance(0.1)) request.deviceSnapshot = dice.chance(0.8);
  return request;
}

/** Arguments of a save of some of the program's memories. */
export function saveArguments(program: Program): Wanted {
  const { dice } = program;
  const chosen = new Map<string, Memory>();
  for (let count = dice.below(5); count > 0; count -= 1) {
    const memory = dice.anyOf(program.memories);
    if (memory !== undefined) chosen.set(dice.pick(names), memory);
  }
  const known = [...chosen.values()].every(({ writing }) => writing === 0);
  const bytes = known ? new Map([...chosen].map(([name, memory]) => [name, Buffer.from(memory.bytes() ?? [])])) : undefined;
  const sources = [...chosen.values()].map((memory) => ({ memory, version: memory.version }));
  const hook = (): void => { program.hook(); };
  const entries = [...chosen].map(([name, memory]) => [name, tensorOf({ dice, hook }, memory)] as const);
  const request = requestOf(program, entries);
  const signal = program.signal();
  return { args: signal === undefined ? [request] : [request, { signal }], step: request.step as number, bytes, sources };
}
