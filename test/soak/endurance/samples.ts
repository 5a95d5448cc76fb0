import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

/** What the process and its root hold between two saves. */
export interface Sample {
  readonly saves: number;
  readonly descriptors: number;
  /** Of the descriptors: what the engines themselves are made of. */
  readonly rings: number;
  readonly eventDescriptors: number;
  readonly inotifyDescriptors: number;
  /** Of the descriptors: files that still hold disk space without a name. */
  readonly unlinkedFiles: number;
  readonly threads: number;
  readonly mappings: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Memory of buffers, those of leases included. */
  readonly externalBytes: number;
  readonly diskBytes: number;
  /** Files and directories of the root, and of what is in it. */
  readonly names: number;
}

/** What is collected in one turn may free in the next. */
async function collect(): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    globalThis.gc?.();
    await turn();
  }
}

function descriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });
}

function nameOf(task: string): string[] {
  try {
    return [readFileSync(`/proc/self/task/${task}/comm`, 'utf8')];
  } catch {
    return [];
  }
}

/** The kernel's own workers of a ring come and go as it likes. */
function threads(): number {
  return readdirSync('/proc/self/task').flatMap(nameOf).filter((name) => !name.startsWith('iou-')).length;
}

function disk(root: string): Pick<Sample, 'diskBytes' | 'names'> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const blocks = names.reduce((sum, name) => sum + lstatSync(join(root, name)).blocks, 0);
  return { diskBytes: blocks * 512, names: names.length };
}

export async function takeSample(saves: number, root: string): Promise<Sample> {
  await collect();
  const targets = descriptors();
  const count = (what: (target: string) => boolean): number => targets.filter(what).length;
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    ...{ saves, descriptors: targets.length },
    rings: count((target) => target === 'anon_inode:[io_uring]'),
    eventDescriptors: count((target) => target === 'anon_inode:[eventfd]'),
    inotifyDescriptors: count((target) => target.startsWith('anon_inode:inotify')),
    unlinkedFiles: count((target) => target.startsWith(root) && target.endsWith(' (deleted)')),
    threads: threads(),
    mappings: readFileSync('/proc/self/maps', 'utf8').split('\n').length - 1,
    ...{ residentBytes: rss, heapBytes: heapUsed, externalBytes: external },
    ...disk(root),
  };
}
