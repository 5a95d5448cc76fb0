import { describe, quote } from '../tensor/describe.js';
import { rankLimit } from '../tensor/shape.js';
import { corrupt, type HeaderEntry } from './header_entry.js';
import { JsonReader } from './json_reader.js';
import type { TimeSlices } from './time_slices.js';

/** Where PyTorch DCP puts it in `__metadata__`, as JSON text: `{"<name>":{"saved_offsets":[…]}}`. */
export const shardingInfoName = 'DCP_SHARDING_INFO';
const entriesBetweenChecks = 512;

function readOffsets(reader: JsonReader, name: string): readonly number[] {
  let offsets: readonly number[] | undefined;
  reader.enterObject();
  for (let key = reader.nextKey(); key !== undefined; key = reader.nextKey()) {
    if (key !== 'saved_offsets') reader.skip();
    else if (offsets === undefined) offsets = reader.counts(rankLimit);
    else throw corrupt(`${shardingInfoName} has saved_offsets of tensor ${quote(name)} twice.`);
  }
  if (offsets !== undefined) return offsets;
  throw corrupt(`${shardingInfoName} has no saved_offsets of tensor ${quote(name)}.`);
}

function checkOffsets({ name, shape }: HeaderEntry, offsets: readonly number[]): void {
  const fits = offsets.length === shape.length;
  if (fits && offsets.every((offset, dimension) => Number.isSafeInteger(offset + (shape[dimension] ?? 0)))) return;
  const slice = `the slice of tensor ${quote(name)}, of shape ${describe(shape)}`;
  throw corrupt(`${shardingInfoName} has ${slice}, begin at ${describe(offsets)}, where it cannot.`);
}

/**
 * Where the slices of a file begin in their tensors, by name: of every entry.
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT` where it does not fit the entries
 */
export async function parseShardingInfo(
  text: string,
  entries: ReadonlyMap<string, HeaderEntry>,
  slices: TimeSlices,
): Promise<Map<string, readonly number[]>> {
  const reader = new JsonReader(new TextEncoder().encode(text));
  const origins = new Map<string, readonly number[]>();
  reader.enterObject();
  for (let name = reader.nextKey(); name !== undefined; name = reader.nextKey()) {
    const entry = entries.get(name);
    if (entry === undefined) throw corrupt(`${shardingInfoName} tells of tensor ${quote(name)}, which is not there.`);
    if (origins.has(name)) throw corrupt(`${shardingInfoName} has tensor ${quote(name)} twice.`);
    const offsets = readOffsets(reader, name);
    checkOffsets(entry, offsets);
    origins.set(name, offsets);
    if (origins.size % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  reader.finish();
  for (const name of entries.keys()) {
    if (!origins.has(name)) throw corrupt(`${shardingInfoName} does not tell where tensor ${quote(name)} begins.`);
  }
  return origins;
}
