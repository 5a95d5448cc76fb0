import type { NativeStore } from '../store/native_store.js';

/** Bytes of all files in a directory of a root; what vanishes meanwhile counts nothing. */
export function folderBytes(root: NativeStore, name: string): Promise<number> {
  return root.countBytes(name).catch(() => 0);
}
