import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../power/disk.js';
import { Talk } from '../power/talk.js';
import { Control } from './control.js';

let program: Promise<string> | undefined;

async function build(): Promise<string> {
  const path = join(mkdtempSync(join(tmpdir(), 'snapshard-faulty-')), 'faulty_files');
  const flags = (await run('pkg-config', '--cflags', '--libs', 'fuse3')).split(/\s+/);
  await run('cc', '-O2', '-o', path, fileURLToPath(new URL('faulty_files.c', import.meta.url)), ...flags);
  return path;
}

/** A directory that is reached through a file system which fails when it is told to. */
export class FaultyFiles {
  /** Where faults happen. */
  readonly root: string;
  /** The same directory as it is. */
  readonly look: string;
  #talk: Talk;
  #control: Control;

  private constructor(folder: string, talk: Talk) {
    this.look = join(folder, 'files');
    this.root = join(folder, 'mounted');
    this.#talk = talk;
    this.#control = new Control(talk);
  }

  static async make(folder: string): Promise<FaultyFiles> {
    mkdirSync(join(folder, 'files'));
    mkdirSync(join(folder, 'mounted'));
    return new FaultyFiles(folder, await FaultyFiles.#serve(folder));
  }

  get control(): Control {
    return this.#control;
  }

  /** Mounts it anew at the same place, after its server has ended. */
  async revive(): Promise<void> {
    await this.#talk.end(9);
    await run('umount', '--lazy', this.root);
    this.#talk = await FaultyFiles.#serve(join(this.root, '..'));
    this.#control = new Control(this.#talk);
  }

  async end(): Promise<void> {
    await this.#talk.end().catch(() => undefined);
    await run('umount', '--lazy', this.root).catch(() => undefined);
  }

  static async #serve(folder: string): Promise<Talk> {
    const talk = new Talk(await (program ??= build()), [join(folder, 'files'), join(folder, 'mounted')]);
    await talk.expect('ready');
    return talk;
  }
}
