import { SnapshardError } from '../errors.js';
import { parseHeader, lengthWordBytes, headerJsonBytes, type HeaderTensor } from '../layout/header_reader.js';
import { quote } from '../tensor/describe.js';
import { sameDimensions } from '../tensor/shape.js';
import type { StoredCheckpoint, StoredFile, StoredSlice, StoredTensor } from './stored.js';

export interface FileSlice {
  readonly tensor: StoredTensor;
  readonly slice: StoredSlice;
}

/** For each file its slices, in the order in which they lie there. */
export function slicesByFile({ files, tensors }: StoredCheckpoint): FileSlice[][] {
  const byFile: FileSlice[][] = files.map(() => []);
  for (const tensor of tensors.values()) {
    for (const slice of tensor.slices) byFile[slice.file]!.push({ tensor, slice });
  }
  for (const slices of byFile) slices.sort((a, b) => a.slice.begin - b.slice.begin || a.slice.end - b.slice.end);
  return byFile;
}

function differs({ tensor, slice }: FileSlice, entry: HeaderTensor): boolean {
  const { dtype, shape, begin, end, origin } = entry;
  const same =
    dtype === tensor.dtype && begin === slice.begin && end === slice.end && sameDimensions(slice.shape, shape);
  return !same || !sameDimensions(slice.origin, origin);
}

/**
 * What a header says other than what is known of its file.
 * @param exact whether nothing else may be in it
 * @returns `undefined` where they agree
 */
export async function headerFault(
  header: Uint8Array,
  file: StoredFile,
  slices: readonly FileSlice[],
  exact: boolean,
): Promise<string | undefined> {
  try {
    const jsonBytes = headerJsonBytes(header.subarray(0, lengthWordBytes), file.bytes);
    if (jsonBytes + lengthWordBytes !== file.headerBytes) return 'its length is not what it was';
    const { tensors } = await parseHeader(header.subarray(lengthWordBytes), file.bytes);
    const entries = new Map(tensors.map((entry) => [entry.name, entry]));
    if (exact && entries.size !== slices.length) return `it lists ${entries.size} tensors, not ${slices.length}`;
    for (const each of slices) {
      const entry = entries.get(each.tensor.name);
      if (entry === undefined) return `it does not list tensor ${quote(each.tensor.name)}`;
      if (differs(each, entry)) return `it lists tensor ${quote(each.tensor.name)} otherwise than the manifest`;
    }
    return undefined;
  } catch (error) {
    if (error instanceof SnapshardError) return error.message;
    throw error;
  }
}
