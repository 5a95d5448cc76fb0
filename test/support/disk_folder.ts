import { statfsSync } from 'node:fs';
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
