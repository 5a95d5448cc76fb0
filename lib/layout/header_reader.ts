import { quote } from '../tensor/describe.js';
import { zeroOrigin } from '../tensor/shape.js';
import { corrupt, type CountCheck, type HeaderEntry, readHeaderEntry } from './header_entry.js';
import { JsonReader } from './json_reader.js';
import { parseShardingInfo, shardingInfoName } from './sharding_info.js';
import { sortInSlices } from './sliced_sort.js';
import { TimeSlices } from './time_slices.js';

/** Before the JSON: its length. */
export const lengthWordBytes = 8;
/** The limit of safetensors itself. */
const jsonBytesMax = 100_000_000;
const openBrace = 0x7b;
const metadataName = '__metadata__';
const entriesBetweenChecks = 512;

/** A tensor, or a slice of one. Here `begin` and `end` count from the start of the file. */
export interface HeaderTensor extends HeaderEntry {
  /** Index of its first element in the whole tensor, where PyTorch DCP left that; else zeros. */
  readonly origin: readonly number[];
}

export interface ShardHeader {
  /** Where the data begins. */
  readonly headerBytes: number;
  /** `__metadata__`, without `DCP_SHARDING_INFO`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Whether there was `DCP_SHARDING_INFO`. */
  readonly sharded: boolean;
  /** As they lie in the file, which they fill without holes. */
  readonly tensors: readonly HeaderTensor[];
}

/**
 * How long the JSON of a safetensors file is.
 * @param start of the file: 8 bytes, or all of a shorter one
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT` where the file, or the format, has no room for that
 */
export function headerJsonBytes(start: Uint8Array, fileBytes: number): number {
  if (start.length < lengthWordBytes) throw corrupt(`It is ${fileBytes} bytes long: too short for a safetensors file.`);
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  const found = `Its header would be ${length.toString()} bytes long`;
  if (length > jsonBytesMax) throw corrupt(`${found}: more than the ${jsonBytesMax} of the format.`);
  if (Number(length) <= fileBytes - lengthWordBytes) return Number(length);
  throw corrupt(`${found}, but the file is ${fileBytes}: it is cut off, or no safetensors file.`);
}

function readMetadata(reader: JsonReader, checkCount: CountCheck): Map<string, string> {
  const metadata = new Map<string, string>();
  reader.enterObject();
  for (let key = reader.nextKey(); key !== undefined; key = reader.nextKey()) {
    if (metadata.has(key)) throw corrupt(`${metadataName} has ${quote(key)} twice.`);
    metadata.set(key, reader.string());
    if (metadata.size % entriesBetweenChecks === 0) checkCount(metadata.size);
  }
  return metadata;
}

interface HeaderContent {
  readonly entries: ReadonlyMap<string, HeaderEntry>;
  readonly metadata: Map<string, string>;
}

async function readContent(json: Uint8Array, slices: TimeSlices, checkCount: CountCheck): Promise<HeaderContent> {
  const reader = new JsonReader(json);
  const entries = new Map<string, HeaderEntry>();
  let metadata: Map<string, string> | undefined;
  reader.enterObject();
  for (let name = reader.nextKey(); name !== undefined; name = reader.nextKey()) {
    if (entries.has(name)) throw corrupt(`Tensor ${quote(name)} is listed twice.`);
    if (name !== metadataName) entries.set(name, readHeaderEntry(reader, name));
    else if (metadata === undefined) metadata = readMetadata(reader, checkCount);
    else throw corrupt(`${metadataName} is there twice.`);
    if (entries.size % entriesBetweenChecks !== 0) continue;
    checkCount(entries.size);
    if (slices.spent) await slices.pause();
  }
  reader.finish();
  return { entries, metadata: metadata ?? new Map<string, string>() };
}

const byPlace = (left: HeaderEntry, right: HeaderEntry): number => left.begin - right.begin || left.end - right.end;

/** That the entries fill the file, from the end of the header on. */
function checkPlaces(entries: readonly HeaderEntry[], dataBytes: number): void {
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== position) {
      const what = begin < position ? 'overlaps the one before' : 'leaves a gap behind the one before';
      throw corrupt(`Tensor ${quote(name)} ${what}: its data begins at ${begin}, not at ${position}.`);
    }
    position = end;
  }
  if (position === dataBytes) return;
  throw corrupt(`Its tensors take ${position} bytes, but the file has ${dataBytes} behind the header.`);
}

/**
 * Reads the header of a safetensors file and checks all of it, giving way to the event loop.
 * @param json what follows the length word
 * @param fileBytes length of the whole file
 * @param checkCount throws where there is no memory for so many entries
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT` or `ERR_SNAPSHARD_UNKNOWN_DTYPE`, which do not name the file
 */
export async function parseHeader(
  json: Uint8Array,
  fileBytes: number,
  slices = new TimeSlices(),
  checkCount: CountCheck = () => undefined,
): Promise<ShardHeader> {
  if (json[0] !== openBrace) throw corrupt('Its header does not begin with "{": it is no safetensors file.');
  const headerBytes = lengthWordBytes + json.length;
  const { entries, metadata } = await readContent(json, slices, checkCount);
  const ordered = await sortInSlices([...entries.values()], byPlace, slices);
  checkPlaces(ordered, fileBytes - headerBytes);
  // PyTorch takes an empty text for none.
  const text = metadata.get(shardingInfoName) ?? '';
  metadata.delete(shardingInfoName);
  const origins = text === '' ? undefined : await parseShardingInfo(text, entries, slices);
  const tensors: HeaderTensor[] = [];
  for (const { name, dtype, shape, begin, end } of ordered) {
    const origin = origins?.get(name) ?? zeroOrigin(shape.length);
    tensors.push({ name, dtype, shape, begin: headerBytes + begin, end: headerBytes + end, origin });
    if (tensors.length % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  return { headerBytes, metadata, sharded: origins !== undefined, tensors };
}
