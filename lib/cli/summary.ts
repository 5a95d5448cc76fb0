import type { TensorInfo } from '../restore/read_types.js';

export interface GroupSummary {
  readonly name: string;
  readonly tensors: number;
  /** Of these tensors, as they are in memory. */
  readonly bytes: number;
  readonly files: number;
}

export interface FileSummary {
  readonly name: string;
  /** Tensors of which it holds a part. */
  readonly tensors: number;
  /** Of these parts. */
  readonly bytes: number;
}

/** The groups of some tensors, by name. */
export function summarizeGroups(tensors: readonly TensorInfo[]): GroupSummary[] {
  const groups = new Map<string, TensorInfo[]>();
  for (const tensor of tensors) {
    const members = groups.get(tensor.group);
    if (members === undefined) groups.set(tensor.group, [tensor]);
    else members.push(tensor);
  }
  return [...groups].sort(byKey).map(([name, members]) => ({
    name,
    tensors: members.length,
    bytes: members.reduce((sum, { bytes }) => sum + bytes, 0),
    files: new Set(members.flatMap(({ slices }) => slices.map(({ file }) => file))).size,
  }));
}

/** The files that hold some tensors, by name. */
export function summarizeFiles(tensors: readonly TensorInfo[]): FileSummary[] {
  const files = new Map<string, { tensors: Set<string>; bytes: number }>();
  for (const { name, slices } of tensors) {
    for (const { file, bytes } of slices) {
      let summary = files.get(file);
      if (summary === undefined) files.set(file, (summary = { tensors: new Set(), bytes: 0 }));
      summary.tensors.add(name);
      summary.bytes += bytes;
    }
  }
  return [...files].sort(byKey).map(([name, { tensors: names, bytes }]) => ({ name, tensors: names.size, bytes }));
}

function byKey([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1;
}
