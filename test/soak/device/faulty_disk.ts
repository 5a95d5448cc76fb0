import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, unmount, type DiskFormat } from '../power/disk.js';
import { Talk } from '../power/talk.js';
import { Control } from './control.js';

let program: Promise<string> | undefined;

async function build(): Promise<string> {
  const path = join(mkdtempSync(join(tmpdir(), 'snapshard-faulty-')), 'recorder');
  await run('cc', '-O2', '-o', path, fileURLToPath(new URL('../power/recorder.c', import.meta.url)));
  return path;
}

/** A file system on a disk that fails when it is told to: what is asked of it are reads, writes and flushes. */
export class FaultyDisk {
  /** On the file system. */
  readonly root: string;
  readonly control: Control;
  /** The loop device. */
  readonly device: string;
  readonly #mounted: string;
  readonly #options: string;
  readonly #talk: Talk;

  private constructor(mounted: string, device: string, options: string, talk: Talk) {
    this.root = join(mounted, 'checkpoints');
    this.control = new Control(talk);
    this.device = device;
    this.#mounted = mounted;
    this.#options = options;
    this.#talk = talk;
  }

  /** @param folder takes as much as the format needs */
  static async make(folder: string, format: DiskFormat, seed: number): Promise<FaultyDisk> {
    const place = (name: string): string => join(folder, name);
    writeFileSync(place('image'), '');
    truncateSync(place('image'), format.bytes);
    await run(...format.make, place('image'));
    writeFileSync(place('disk'), '');
    mkdirSync(place('mounted'));
    const talk = new Talk(await (program ??= build()), [place('disk'), place('image'), '/dev/null', String(seed)]);
    await talk.expect('ready');
    const device = await run('losetup', '--direct-io=on', '--find', '--show', place('disk'));
    const disk = new FaultyDisk(place('mounted'), device, format.mountOptions, talk);
    await disk.mount();
    mkdirSync(disk.root);
    await run('sync', '-f', disk.root);
    return disk;
  }

  get mounted(): string {
    return this.#mounted;
  }

  mount(): Promise<string> {
    return run('mount', '-o', this.#options, this.device, this.#mounted);
  }

  unmount(): Promise<void> {
    return unmount(this.#mounted);
  }

  /** As a file system that was in use when its disk failed is taken up again. */
  async mountAgain(): Promise<void> {
    await this.unmount();
    await this.mount();
  }

  async end(): Promise<void> {
    await this.control.lift().catch(() => undefined);
    await run('umount', '--lazy', this.#mounted).catch(() => undefined);
    await run('losetup', '--detach', this.device).catch(() => undefined);
    await this.#talk.end().catch(() => undefined);
  }
}
