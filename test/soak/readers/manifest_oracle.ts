/** What manifests may say, rule by rule, over the tree of their JSON, or over what `JSON.parse` makes of it. */
import { dtypeBits } from '../../../lib/tensor/dtype.js';
import { factsOf, memberOf, type Node, treeOf, valueOf } from './json_oracle.js';

type Fields = Record<string, unknown>;

const record = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
const integer = (value: unknown, least = 0, most = Number.MAX_SAFE_INTEGER): boolean =>
  Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
const matches = (value: unknown, pattern: RegExp): boolean => typeof value === 'string' && pattern.test(value);
const nonce = (value: unknown): boolean => matches(value, /^[0-9a-z]{1,64}$/);
const hex = (value: unknown): boolean => matches(value, /^[0-9a-f]{32}$/);
const group = (value: unknown): boolean => matches(value, /^[a-z0-9][a-z0-9_-]{0,63}$/);
const five = (value: number): string => String(value).padStart(5, '0');

function listedFile(value: unknown, isName: (name: string) => boolean): boolean {
  const file = record(value);
  return file !== undefined && typeof file.name === 'string' && isName(file.name) && integer(file.bytes, 0, 2 ** 32) && hex(file.digest);
}

/** What may lie beside the shards: in the folder itself, and nothing that means something to somebody. */
export function isSideName(name: unknown): boolean {
  if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > 255 || !name.isWellFormed()) return false;
  if (Array.from(name).some((unit) => unit < ' ' || unit === '\u007f' || unit === '/' || unit === '\\')) return false;
  const lower = name.toLowerCase();
  const taken = lower.startsWith('.') || lower === 'manifest.json' || lower === 'ranks';
  return !taken && !lower.endsWith('.safetensors') && !lower.endsWith('.safetensors.index.json');
}

function listOfFiles(value: unknown, isName: (name: string) => boolean): boolean {
  if (!Array.isArray(value) || !value.every((file) => listedFile(file, isName))) return false;
  return new Set(value.map((file: Fields) => file.name)).size === value.length;
}

function isTime(value: unknown): boolean {
  return matches(value, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/) && !Number.isNaN(Date.parse(String(value)));
}

const isIndexName = (name: string): boolean => /^[a-z0-9][a-z0-9_-]{0,63}\.safetensors\.index\.json$/.test(name);

/** Whether `manifest.json`, which is sealed, must be taken. */
export function isManifest(bytes: Uint8Array): boolean {
  const root = treeOf(bytes);
  if (root?.kind !== 'object') return false;
  const keys = root.members.map(([key]) => key);
  const ranks = memberOf(root, 'ranks');
  const strict = (node: Node): boolean => {
    const { depth, keyTwice, loneSurrogate } = factsOf(node);
    return depth <= 128 && !keyTwice && !loneSurrogate;
  };
  const parts = root.members.flatMap(([key, node]) => (key === 'ranks' && node.kind === 'list' ? node.items : [node]));
  if (new Set(keys).size < keys.length || keys.some((key) => !key.isWellFormed()) || !parts.every(strict)) return false;
  if (factsOf(ranks ?? { kind: 'list', items: [] }).depth > 129) return false;
  return areFields(valueOf(root) as Fields);
}

function areFields(fields: Fields): boolean {
  const { worldSize, ranks } = fields;
  if (fields.format !== 'snapshard' || !matches(fields.version, /^1\.\d+$/)) return false;
  if (!integer(fields.step) || !integer(worldSize, 1, 99_999) || !isTime(fields.time) || !nonce(fields.save)) return false;
  if (record(fields.metadata) === undefined || !listOfFiles(fields.files, isSideName)) return false;
  if (!listOfFiles(fields.indexes, isIndexName) || !Array.isArray(ranks) || ranks.length !== worldSize) return false;
  return ranks.every((item, rank) => {
    const { rank: own, manifest, digests } = record(item) ?? {};
    const named = (ending: string) => (name: string) => name === `ranks/${five(rank)}.${ending}`;
    return own === rank && listedFile(manifest, named('json')) && listedFile(digests, named('digests'));
  });
}

interface Shard extends Fields {
  name: string;
  bytes: number;
  headerBytes: number;
}

function isShard(value: unknown, rank: number, worldSize: number): value is Shard {
  const file = record(value);
  if (file === undefined || !group(file.group) || !hex(file.digest)) return false;
  const plain = `${String(file.group)}-(\\d{5})-of-(\\d{5})\\.safetensors`;
  const pattern = new RegExp(`^(shard-${five(rank + 1)}-)${worldSize === 1 ? '?' : ''}${plain}$`);
  const numbers = typeof file.name === 'string' ? pattern.exec(file.name) : null;
  if (numbers === null || Number(numbers[2]) < 1 || Number(numbers[2]) > Number(numbers[3])) return false;
  return integer(file.headerBytes, 4096) && Number(file.headerBytes) % 4096 === 0 && integer(file.bytes, Number(file.headerBytes));
}

const dimensions = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 64 && value.every((item) => integer(item));

function bytesOf(dtype: unknown, shape: readonly number[]): number | undefined {
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypeBits, dtype)) return undefined;
  const bits = BigInt(dtypeBits[dtype as keyof typeof dtypeBits]);
  let size = bits % 8n === 0n ? bits / 8n : bits;
  for (const dimension of shape) {
    size *= BigInt(dimension);
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  }
  if (bits % 8n === 0n) return Number(size);
  return size % 8n === 0n ? Number(size / 8n) : undefined;
}

/** The bytes of a tensor's slice; `undefined` where what is said of it makes no sense. */
function sliceBytes(tensor: Fields): number | undefined {
  const { name, shape, globalShape, origin } = tensor;
  if (typeof name !== 'string' || ['', '__metadata__'].includes(name) || !name.isWellFormed() || name.includes('\0')) return undefined;
  if (!dimensions(shape) || !dimensions(globalShape) || !dimensions(origin) || !hex(tensor.digest)) return undefined;
  if (shape.length !== globalShape.length || origin.length !== shape.length) return undefined;
  if (shape.some((size, at) => BigInt(size) + BigInt(origin[at]!) > BigInt(globalShape[at]!))) return undefined;
  return bytesOf(tensor.dtype, shape);
}

/** How many chunks the files have, if the tensors fill them. */
function chunksOf(files: readonly Shard[], tensors: readonly unknown[]): number | undefined {
  const ends = files.map(({ headerBytes }) => headerBytes);
  let chunks = files.length;
  let last = 0;
  for (const item of tensors) {
    const tensor = record(item);
    const bytes = tensor === undefined ? undefined : sliceBytes(tensor);
    const file = tensor?.file;
    const range = tensor?.range;
    if (bytes === undefined || !integer(file, last, files.length - 1) || !Array.isArray(range)) return undefined;
    last = Number(file);
    const end = Number(ends[last]);
    if (range.length !== 2 || range[0] !== end || range[1] !== end + bytes || !integer(range[1])) return undefined;
    ends[last] = end + bytes;
    chunks += Math.ceil(bytes / 2 ** 20);
  }
  return files.every(({ bytes }, at) => bytes === ends[at]) ? chunks : undefined;
}

/** Whether the manifest of a rank, which is sealed, must be taken for that of this rank. */
export function isRankManifest(bytes: Uint8Array, rank: number): boolean {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return false;
  }
  const manifest = record(value);
  if (manifest?.format !== 'snapshard.rank' || !matches(manifest.version, /^1\.\d+$/)) return false;
  if (!integer(manifest.worldSize, 1, 99_999)) return false;
  const worldSize = Number(manifest.worldSize);
  if (manifest.rank !== rank || rank >= worldSize) return false;
  if (!nonce(manifest.writer) || !nonce(manifest.save) || !integer(manifest.step)) return false;
  const { files, tensors, digests } = manifest;
  if (!Array.isArray(files) || !files.every((file): file is Shard => isShard(file, rank, worldSize))) return false;
  if (new Set(files.map(({ name }) => name)).size < files.length || !listOfFiles(manifest.sideFiles, isSideName)) return false;
  if (!listedFile(digests, (name) => name === `ranks/${five(rank)}.digests`) || !Array.isArray(tensors)) return false;
  const chunks = chunksOf(files, tensors);
  return chunks !== undefined && (digests as Fields).bytes === chunks * 16;
}
