import { rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

const tmpfsMagic = 0x01021994;
const repository = fileURLToPath(new URL('../..', import.meta.url));

/** A folder on a disk: `SNAPSHARD_TEST_FOLDER`, or the temporary folder, unless that is memory. */
export function diskFolder(): string {
  const named = process.env.SNAPSHARD_TEST_FOLDER;
  if (named !== undefined) return named;
  return statfsSync(tmpdir()).type === tmpfsMagic ? repository : tmpdir();
}

/** An NFS client keeps a file that is still open, under another name, until whoever has it open has let go of it. */
export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
