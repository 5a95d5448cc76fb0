/** Which mount a file lies on, as the kernel lists it: proc_pid_mountinfo(5). */
import { open, readFile } from 'node:fs/promises';

export interface Mount {
  readonly id: number;
  /** As in sysfs: `259:1`. Major 0 has no block device of its own. */
  readonly device: string;
  readonly fileSystem: string;
  readonly source: string;
  /** Of the mount and of the file system, each once. */
  readonly options: readonly string[];
}

/** @param text the contents of `/proc/self/mountinfo` */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    // Optional fields, of which there may be any number, end at a dash.
    const match = /^(\d+) \d+ (\d+:\d+) \S+ \S+ (\S+) (?:\S+ )*?- (\S+) (\S*) (\S+)$/.exec(line);
    if (match === null) return [];
    const [, id, device, mountOptions, fileSystem, source, superOptions] = match;
    const options = [...new Set([...mountOptions!.split(','), ...superOptions!.split(',')].map(unescape))];
    return [{ id: Number(id), device: device!, fileSystem: fileSystem!, source: unescape(source!), options }];
  });
}

/**
 * The mount of an open file or directory: the kernel knows, whatever is mounted over, below or a second time.
 * `undefined` where it lies outside what this process may see.
 */
export async function mountOf(path: string): Promise<Mount | undefined> {
  const handle = await open(path);
  try {
    const [facts, mounts] = await Promise.all([
      readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8'),
      readFile('/proc/self/mountinfo', 'utf8'),
    ]);
    const id = Number(/^mnt_id:\s*(\d+)$/m.exec(facts)?.[1]);
    return parseMounts(mounts).find((mount) => mount.id === id);
  } finally {
    await handle.close();
  }
}

/** `nconnect=8` has the value `8`; `undefined` where the option is not there, or has none. */
export function optionValue(options: readonly string[], name: string): string | undefined {
  return options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** Spaces and the like stand as octal numbers. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
