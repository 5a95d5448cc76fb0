import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

const ownerFile = 'owner.json';
const ownerSchema = z.object({ host: z.string(), pid: z.number().int(), started: z.string() });

/** A folder that another run made and did not remove. */
export interface Leftover {
  path: string;
  /** `killed`: its run is gone. `running`: it is under way, here or, as far as can be told, on that host. */
  state: 'killed' | 'running';
  host: string;
}

/** Leaves word in a folder whose it is. */
export function signOwner(folder: string): void {
  const owner = { host: hostname(), pid: process.pid, started: startOf(process.pid) ?? '' };
  writeFileSync(join(folder, ownerFile), JSON.stringify(owner));
}

/** Folders in `directory` that begin with `prefix` and are signed. Nothing is changed. */
export function findLeftovers(directory: string, prefix: string): Leftover[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.startsWith(prefix))
    .flatMap(({ name }) => {
      const path = join(directory, name);
      const owner = readOwner(path);
      if (owner === undefined) return [];
      const gone = owner.host === hostname() && startOf(owner.pid) !== owner.started;
      return [{ path, state: gone ? 'killed' : 'running', host: owner.host } satisfies Leftover];
    });
}

function readOwner(folder: string): z.infer<typeof ownerSchema> | undefined {
  try {
    return ownerSchema.parse(JSON.parse(readFileSync(join(folder, ownerFile), 'utf8')));
  } catch {
    return undefined;
  }
}

/** When a process began, in ticks since boot, and in which boot; a number of its own for each process that has that id. */
function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command, in brackets, and may hold anything; the start is the 22nd.
    return `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return undefined;
  }
}
