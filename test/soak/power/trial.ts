import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MiB } from '../../support/bytes.js';
import { randomNumbers } from '../../model/random.js';
import { expectContinues, expectListedWhole } from '../invariant.js';
import { run, whileMounted, type DiskFormat } from './disk.js';
import { Images } from './images.js';
import { Ledger } from './ledger.js';
import { powerLosses } from './loss.js';
import { pick, randomProgram, type WriterProgram } from './program.js';
import { begun, record } from './record.js';

export interface PowerTrial {
  readonly seed: number;
  readonly folder: string;
  readonly format: DiskFormat;
  readonly images: number;
  /** In place of a random one. */
  readonly program?: WriterProgram;
  /** Of the writer. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Memory where there is enough: flushes of the disks under test need not reach a real one. */
export function fastFolder(folder: string): { path: string; remove: () => void } {
  const memory = '/dev/shm';
  const hasRoom = existsSync(memory) && statfsSync(memory).bavail * statfsSync(memory).bsize > 1024 * MiB;
  const path = hasRoom ? mkdtempSync(join(memory, 'snapshard-fast-')) : folder;
  return {
    path,
    remove: () => {
      if (hasRoom) rmSync(path, { recursive: true });
    },
  };
}

async function checkImage(root: string, ledger: Ledger, crash: number, random: () => number): Promise<void> {
  const listed = await expectListedWhole(root, ledger.toldAt(crash));
  ledger.expect(crash, listed);
  const steps = [...ledger.allowedAt(crash).keys()];
  await expectContinues(root, pick(random, [...steps, Math.max(0, ...steps) + 1]));
}

/** Records one run of a writer, then looks at what many power losses would have left of it. */
async function runIn(place: string, trial: PowerTrial): Promise<void> {
  const { seed, format, images: count } = trial;
  const random = randomNumbers(seed);
  const [image, base] = [join(place, 'image'), join(place, 'base')];
  const program = trial.program ?? randomProgram(random, 'checkpoints');
  writeFileSync(image, '');
  truncateSync(image, format.bytes);
  await run(...format.make, image);
  await run('cp', '--sparse=always', image, base);
  const { mountOptions } = format;
  const records = await record({ folder: place, image, mountOptions, seed, program, environment: trial.environment ?? {} });
  const begin = records.findIndex((each) => each.kind === 'mark' && each.text === begun);
  assert(records.some((each, at) => at > begin && each.kind === 'flush'), 'No flush has reached the recorder.');
  const ledger = new Ledger(records);
  const images = new Images(records, base, format.sectorBytes);
  const mounted = join(place, 'mounted');
  mkdirSync(mounted);
  for (const [index, loss] of powerLosses(random, records, begin, count).entries()) {
    const [cached, kept] = await images.build(random, loss, image);
    try {
      await whileMounted(image, ['loop', mountOptions], mounted, () => checkImage(join(mounted, program.root), ledger, loss.crash, random));
    } catch (cause) {
      const what = `image ${index + 1} of ${count}, ${format.name}, at record ${loss.crash} of ${records.length}`;
      const cache = `of ${cached} cached writes it kept ${loss.keep} (${kept})`;
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${what}: ${cache}: ${message}`, { cause });
    }
  }
}

/** @throws the first image that breaks the invariant */
export async function powerTrial(trial: PowerTrial): Promise<void> {
  const fast = fastFolder(trial.folder);
  try {
    await runIn(fast.path, trial);
  } finally {
    fast.remove();
  }
}
