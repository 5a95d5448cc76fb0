import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, whileMounted } from './disk.js';
import { lifetimes, type WriterProgram } from './program.js';
import { readRecording, type DiskRecord } from './recording.js';
import { Talk } from './talk.js';

export interface RecordPlan {
  /** For the recording and what it needs. */
  readonly folder: string;
  /** A file system in a file; the writes end up in it. */
  readonly image: string;
  readonly mountOptions: string;
  readonly seed: number;
  /** Its root is a name below the file system. */
  readonly program: WriterProgram;
  /** Of the writer. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The mark after which the root is durable. */
export const begun = 'begun';

const sourceOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Every mark is recorded before the writer goes on. */
async function live(program: WriterProgram, { environment }: RecordPlan, recorder: Talk): Promise<void> {
  const writer = new Talk(process.execPath, [sourceOf('writer.mjs'), JSON.stringify(program)], environment);
  for (let mark = await writer.hear(); mark !== undefined; mark = await writer.hear()) {
    recorder.tell(mark);
    await recorder.expect(mark);
    writer.tell('');
  }
  const last = program.operations.at(-1);
  await writer.end(last !== undefined && 'dies' in last ? null : 0);
}

async function write(mounted: string, plan: RecordPlan, recorder: Talk): Promise<void> {
  const root = join(mounted, plan.program.root);
  mkdirSync(root);
  await run('sync', '-f', mounted);
  recorder.tell(begun);
  await recorder.expect(begun);
  for (const operations of lifetimes(plan.program.operations)) {
    await live({ ...plan.program, root, operations }, plan, recorder);
  }
}

/** Through a loop device that passes writes on as they come: the page cache would put them in an order of its own. */
async function writeThrough(disk: string, mounted: string, plan: RecordPlan, recorder: Talk): Promise<void> {
  const device = await run('losetup', '--direct-io=on', '--find', '--show', disk);
  try {
    await whileMounted(device, [plan.mountOptions], mounted, () => write(mounted, plan, recorder));
  } finally {
    await run('losetup', '--detach', device);
  }
}

/** Records what reaches the disk while a writer carries out the program. */
export async function record(plan: RecordPlan): Promise<DiskRecord[]> {
  const { folder, image, seed } = plan;
  const place = (name: string): string => join(folder, name);
  await run('cc', '-O2', '-o', place('recorder'), sourceOf('recorder.c'));
  writeFileSync(place('disk'), '');
  mkdirSync(place('written'));
  const recorder = new Talk(place('recorder'), [place('disk'), image, place('recording'), String(seed)]);
  try {
    await recorder.expect('ready');
    await writeThrough(place('disk'), place('written'), plan, recorder);
  } finally {
    await recorder.end();
  }
  return readRecording(place('recording'));
}
