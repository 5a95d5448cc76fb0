import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './disk.js';

/** What goes wrong with a writer's syncs; see sync_fault.c. */
export type SyncFault = 'shards' | 'files' | 'partial' | 'root' | 'late' | 'deaf';

/** @returns what a writer must have in its environment for the fault to be planted */
export async function plantSyncFault(folder: string, fault: SyncFault): Promise<Record<string, string>> {
  const library = join(folder, 'sync_fault.so');
  await run('cc', '-shared', '-fPIC', '-o', library, fileURLToPath(new URL('sync_fault.c', import.meta.url)));
  return { LD_PRELOAD: library, SYNC_FAULT: fault };
}
