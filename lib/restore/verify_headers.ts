import { SnapshardError } from '../errors.js';
import { parseHeader, lengthWordBytes, headerJsonBytes, type HeaderTensor } from '../layout/header_reader.js';
import { sortInSlices } from '../layout/sliced_sort.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { quote } from '../tensor/describe.js';
import { sameDimensions } from '../tensor/shape.js';
import type { PlannedSlice } from './plan.js';
import type { StoredCheckpoint, StoredFile } from './stored.js';

const entriesBetweenChecks = 512;

const byPlace = ({ slice: left }: PlannedSlice, { slice: right }: PlannedSlice): number =>
  left.begin - right.begin || left.end - right.end;

/** For each file its slices, of which nobody wants anything, in the order in which they lie there. */
export async function slicesByFile(
  { files, tensors }: StoredCheckpoint,
  slices: TimeSlices,
): Promise<PlannedSlice[][]> {
  const byFile: PlannedSlice[][] = files.map(() => []);
  let count = 0;
  for (const tensor of tensors.values()) {
    for (const slice of tensor.slices) byFile[slice.file]!.push({ tensor, slice, shares: [] });
    count += 1;
    if (count % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  for (const [file, unsorted] of byFile.entries()) byFile[file] = await sortInSlices(unsorted, byPlace, slices);
  return byFile;
}

function differs({ tensor, slice }: PlannedSlice, entry: HeaderTensor): boolean {
  const { dtype, shape, begin, end, origin } = entry;
  const same =
    dtype === tensor.dtype && begin === slice.begin && end === slice.end && sameDimensions(slice.shape, shape);
  return !same || !sameDimensions(slice.origin, origin);
}

async function entriesByName(entries: readonly HeaderTensor[], slices: TimeSlices): Promise<Map<string, HeaderTensor>> {
  const byName = new Map<string, HeaderTensor>();
  for (const entry of entries) {
    byName.set(entry.name, entry);
    if (byName.size % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  return byName;
}

/** Mostly a header lists in the order in which the slices lie. */
async function firstDifference(
  planned: readonly PlannedSlice[],
  entries: readonly HeaderTensor[],
  slices: TimeSlices,
): Promise<string | undefined> {
  let byName: Map<string, HeaderTensor> | undefined;
  for (const [index, each] of planned.entries()) {
    if (index % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
    const { name } = each.tensor;
    let entry = entries[index];
    if (entry?.name !== name) {
      byName ??= await entriesByName(entries, slices);
      entry = byName.get(name);
    }
    if (entry === undefined) return `it does not list tensor ${quote(name)}`;
    if (differs(each, entry)) return `it lists tensor ${quote(name)} otherwise than the manifest`;
  }
  return undefined;
}

/**
 * What a header says other than what is known of its file.
 * @param planned the slices of the file
 * @param exact whether nothing else may be in it
 * @returns `undefined` where they agree
 */
export async function headerFault(
  header: Uint8Array,
  file: StoredFile,
  planned: readonly PlannedSlice[],
  exact: boolean,
  slices: TimeSlices,
): Promise<string | undefined> {
  try {
    const jsonBytes = headerJsonBytes(header.subarray(0, lengthWordBytes), file.bytes);
    if (jsonBytes + lengthWordBytes !== file.headerBytes) return 'its length is not what it was';
    const { tensors } = await parseHeader(header.subarray(lengthWordBytes), file.bytes, slices);
    if (exact && tensors.length !== planned.length) return `it lists ${tensors.length} tensors, not ${planned.length}`;
    return await firstDifference(planned, tensors, slices);
  } catch (error) {
    if (error instanceof SnapshardError) return error.message;
    throw error;
  }
}
