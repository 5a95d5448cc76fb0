import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A file system to save on. */
export type Place = 'disk' | 'memory' | 'overlay';

export interface OpenPlace {
  readonly path: string;
  leave(): void;
}

function mountOverlay(folder: string): OpenPlace {
  const [lower, upper, work, path] = ['lower', 'upper', 'work', 'overlay'].map((name) => join(folder, name));
  for (const each of [lower, upper, work, path]) mkdirSync(each!);
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  try {
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, path!], { stdio: 'pipe' });
  } catch {
    // Only a privileged user may; a disk is there for everybody.
    return placeOf('disk', folder);
  }
  return { path: path!, leave: () => { execFileSync('umount', ['--lazy', path!]); } };
}

/** @param folder empty, on a disk */
export function placeOf(place: Place, folder: string): OpenPlace {
  switch (place) {
    case 'disk': {
      const path = join(folder, 'root');
      mkdirSync(path);
      return { path, leave: () => undefined };
    }
    case 'memory': {
      const path = mkdtempSync('/dev/shm/snapshard-soak-');
      return { path, leave: () => { rmSync(path, { recursive: true, force: true }); } };
    }
    case 'overlay':
      return mountOverlay(folder);
  }
}
