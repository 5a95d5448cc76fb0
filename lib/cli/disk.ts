import { NativeStore } from '../store/native_store.js';

/** Bytes of all files in each of these directories of a root; what vanishes meanwhile counts nothing. */
export async function folderBytes(root: string, names: readonly string[]): Promise<number[]> {
  const store = await NativeStore.open(root);
  try {
    return await Promise.all(names.map((name) => store.countBytes(name).catch(() => 0)));
  } finally {
    await store.close();
  }
}
