import { tensorBytes } from '../tensor/shape.js';
import type { TensorInfo } from './read_types.js';
import type { StoredCheckpoint } from './stored.js';

/** What is known of each tensor, as callers see it: in lists of its own, so that what they do to it changes no read. */
export function describeTensors({ tensors, files }: StoredCheckpoint): ReadonlyMap<string, TensorInfo> {
  const described = new Map<string, TensorInfo>();
  for (const [name, { dtype, shape, group, slices }] of tensors) {
    described.set(name, {
      name,
      dtype,
      shape: [...shape],
      group,
      bytes: tensorBytes(name, dtype, shape),
      slices: slices.map(({ file, begin, end, origin, shape: size, digest }) => {
        return { origin: [...origin], shape: [...size], file: files[file]!.path, bytes: end - begin, digest };
      }),
    });
  }
  return described;
}
