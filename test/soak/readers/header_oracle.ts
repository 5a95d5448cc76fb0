/** What the header of a safetensors file and an index of Hugging Face may say, rule by rule, over the tree of their JSON. */
import { countsOf, factsOf, memberOf, type Node, treeOf } from './json_oracle.js';

export interface ExpectedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
  readonly origin: number[];
}

const bits = new Map(
  Object.entries({
    ...{ BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8 },
    ...{ F8_E5M2FNUZ: 8, I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, C64: 64, F64: 64, I64: 64, U64: 64 },
  }),
);
const depthLimit = 128;
const safe = BigInt(Number.MAX_SAFE_INTEGER);

/** Bytes, in numbers without end; `undefined` where some product on the way is too large, or bits are left over. */
function bytesOf(dtype: string, shape: readonly number[]): bigint | undefined {
  const width = BigInt(bits.get(dtype) ?? 0);
  let size = width % 8n === 0n ? width / 8n : width;
  for (const dimension of shape) {
    size *= BigInt(dimension);
    if (size > safe) return undefined;
  }
  if (width % 8n === 0n) return size;
  return size % 8n === 0n ? size / 8n : undefined;
}

/** Strict in strings; what nobody asks for may hold a key twice, though not go too deep. */
function isStrict(root: Node, ignored: readonly Node[]): boolean {
  return !factsOf(root).loneSurrogate && ignored.every((node) => factsOf(node).depth <= depthLimit);
}

function entryOf(name: string, node: Node): Omit<ExpectedTensor, 'origin'> | undefined {
  const dtype = memberOf(node, 'dtype');
  const shape = countsOf(memberOf(node, 'shape'), 64);
  const [begin, end] = countsOf(memberOf(node, 'data_offsets'), 2) ?? [];
  if (dtype?.kind !== 'string' || !bits.has(dtype.text)) return undefined;
  if (shape === undefined || begin === undefined || end === undefined) return undefined;
  const bytes = bytesOf(dtype.text, shape);
  if (bytes === undefined || BigInt(end) - BigInt(begin) !== bytes) return undefined;
  return { name, dtype: dtype.text, shape, begin, end };
}

const known = new Set(['dtype', 'shape', 'data_offsets']);
const ignoredOf = (node: Node): Node[] =>
  node.kind === 'object' ? node.members.filter(([key]) => !known.has(key)).map(([, value]) => value) : [];

/** Where slices begin; `undefined` where that is told wrongly. */
function originsOf(text: string, entries: readonly { name: string; shape: number[] }[]): Map<string, number[]> | undefined {
  const root = treeOf(Buffer.from(text));
  if (root?.kind !== 'object' || root.members.length !== entries.length) return undefined;
  const origins = new Map<string, number[]>();
  const ignored: Node[] = [];
  for (const [name, node] of root.members) {
    const shape = entries.find((entry) => entry.name === name)?.shape;
    const offsets = countsOf(memberOf(node, 'saved_offsets'), 64);
    if (shape === undefined || offsets?.length !== shape.length || origins.has(name)) return undefined;
    if (offsets.some((offset, at) => BigInt(offset) + BigInt(shape[at] ?? 0) > safe)) return undefined;
    if (node.kind === 'object') for (const [key, value] of node.members) if (key !== 'saved_offsets') ignored.push(value);
    origins.set(name, offsets);
  }
  return isStrict(root, ignored) ? origins : undefined;
}

function metadataOf(node: Node | undefined): Map<string, string> | undefined {
  const metadata = new Map<string, string>();
  for (const [key, value] of node?.kind === 'object' ? node.members : []) {
    if (value.kind !== 'string' || metadata.has(key)) return undefined;
    metadata.set(key, value.text);
  }
  return node === undefined || node.kind === 'object' ? metadata : undefined;
}

/** In the order of the file; `undefined` where the gaps and overlaps are. */
function placed<Entry extends { begin: number; end: number }>(entries: Entry[], dataBytes: number): Entry[] | undefined {
  const sorted = entries.sort((left, right) => left.begin - right.begin || left.end - right.end);
  let position = 0;
  for (const { begin, end } of sorted) {
    if (begin !== position) return undefined;
    position = end;
  }
  return position === dataBytes ? sorted : undefined;
}

export interface ExpectedHeader {
  readonly metadata: Map<string, string>;
  readonly tensors: ExpectedTensor[];
}

/** What a header says; `undefined` where a reader must refuse it. */
export function expectedHeader(json: Uint8Array, fileBytes: number): ExpectedHeader | undefined {
  const root = json[0] === 0x7b ? treeOf(json) : undefined;
  if (root?.kind !== 'object') return undefined;
  const names = root.members.map(([name]) => name);
  const metadata = metadataOf(memberOf(root, '__metadata__'));
  const tensors = root.members.filter(([name]) => name !== '__metadata__');
  if (new Set(names).size < names.length || metadata === undefined) return undefined;
  if (!isStrict(root, tensors.flatMap(([, node]) => ignoredOf(node)))) return undefined;
  const entries = tensors.flatMap(([name, node]) => entryOf(name, node) ?? []);
  if (entries.length < tensors.length) return undefined;
  const headerBytes = 8 + json.length;
  const inOrder = placed(entries, fileBytes - headerBytes);
  if (inOrder === undefined) return undefined;
  const info = metadata.get('DCP_SHARDING_INFO') ?? '';
  metadata.delete('DCP_SHARDING_INFO');
  const origins = info === '' ? new Map<string, number[]>() : originsOf(info, inOrder);
  if (origins === undefined) return undefined;
  const whole = inOrder.map((entry) => ({
    ...entry,
    begin: headerBytes + entry.begin,
    end: headerBytes + entry.end,
    origin: origins.get(entry.name) ?? entry.shape.map(() => 0),
  }));
  return { metadata, tensors: whole };
}

/** The weight map of an index; `undefined` where a reader must refuse it. */
export function expectedIndex(bytes: Uint8Array): Map<string, string> | undefined {
  const root = treeOf(bytes);
  const map = root === undefined ? undefined : memberOf(root, 'weight_map');
  if (root?.kind !== 'object' || map?.kind !== 'object') return undefined;
  if (!isStrict(root, root.members.filter(([key]) => key !== 'weight_map').map(([, value]) => value))) return undefined;
  const files = new Map<string, string>();
  for (const [name, file] of map.members) {
    if (file.kind !== 'string' || files.has(name)) return undefined;
    if (['', '.', '..'].includes(file.text) || /[/\\]/.test(file.text)) return undefined;
    if (Array.from(file.text).some((unit) => unit < ' ' || unit === '\u007f')) return undefined;
    files.set(name, file.text);
  }
  return files;
}
