import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { expectInvariant, type Told } from '../invariant.js';
import { Dice } from '../misuse/dice.js';
import { run, type DiskFormat } from '../power/disk.js';
import { fastFolder } from '../power/trial.js';
import type { Fault } from './control.js';
import { expectTells, unknown } from './errors.js';
import { FaultyDisk } from './faulty_disk.js';
import { anyBytes, anyOptions } from './files_trial.js';
import { Subject, type Answer, type Failure, type SubjectCall } from './subject.js';

/** What happens while the subject is at work: of its disk, or to its mount. */
type Disturbance = Fault | 'shut down' | 'read-only' | 'unmounted';

const EIO = 5;
/** What a file system says whose disk has failed it, or that is mounted read-only. */
const errnos = ['EIO', 'EROFS', 'EUCLEAN', 'ENODEV', 'ENXIO'];

function isFault(disturbance: Disturbance): disturbance is Fault {
  return typeof disturbance === 'object';
}

function anyFault(dice: Dice, operations: ReadonlyMap<string, number>): Fault {
  const [operation, count] = dice.pick([...operations].filter(([, each]) => each > 0));
  const place = { operation, first: 1 + dice.below(count) };
  if (dice.chance(0.15)) return { ...place, times: 1, action: 'delay', value: dice.pick([10, 300, 1500]) };
  return { ...place, times: dice.pick([1, 1, 3, 0]), action: 'errno', value: EIO };
}

export function failuresOf({ value, failure }: Answer): readonly Failure[] {
  return failure === undefined ? (value?.failures ?? []) : [failure];
}

class DiskTrial {
  readonly #dice: Dice;
  readonly #disk: FaultyDisk;
  readonly #format: DiskFormat;
  readonly #subject = new Subject();
  readonly #bytes: number[];
  readonly #reads: boolean;
  readonly #overwrites: boolean;
  #step = 0;
  #told: Told | undefined;

  constructor(dice: Dice, disk: FaultyDisk, format: DiskFormat) {
    this.#dice = dice;
    this.#disk = disk;
    this.#format = format;
    this.#bytes = anyBytes(dice);
    this.#reads = dice.chance(0.25);
    this.#overwrites = !this.#reads && dice.chance(0.3);
  }

  async run(): Promise<string> {
    await this.#open();
    for (let count = 0; count < 2; count += 1) await this.#save();
    const disturbance = await this.#choose();
    const deed = this.#reads ? 'check' : this.#overwrites ? 'overwrite' : 'save';
    const what = `${this.#format.name}, ${deed}, ${JSON.stringify(disturbance)}`;
    try {
      const outcome = await this.#disturb(disturbance);
      const name = isFault(disturbance) ? `${disturbance.operation} ${disturbance.action}` : disturbance;
      return `${deed}, ${name}: ${outcome}`;
    } catch (cause) {
      throw new Error(`${what}: ${String(cause instanceof Error ? cause.stack : cause)}`, { cause });
    }
  }

  async end(): Promise<void> {
    await this.#disk.control.lift().catch(() => undefined);
    await this.#subject.kill();
    await this.#disk.end();
  }

  /** After a look at how much is asked of the disk when nothing happens. */
  async #choose(): Promise<Disturbance> {
    const mounts: Disturbance[] = ['read-only', 'unmounted'];
    if (this.#format.name !== 'btrfs') mounts.push('shut down');
    if (this.#dice.chance(0.25)) return this.#dice.pick(mounts);
    await this.#forget();
    await this.#disk.control.lift();
    const answer = await this.#subject.ask(this.#call());
    assert.deepEqual(failuresOf(answer), [], 'It failed with no fault.');
    this.#note(answer);
    const { operations } = await this.#disk.control.counts();
    return anyFault(this.#dice, operations);
  }

  async #disturb(disturbance: Disturbance): Promise<string> {
    await this.#forget();
    if (isFault(disturbance)) await this.#disk.control.fail(disturbance);
    const asked = this.#subject.ask(this.#call());
    if (!isFault(disturbance)) await this.#handle(disturbance, asked);
    const answer = await asked;
    const { fired } = await this.#disk.control.counts();
    await this.#disk.control.lift();
    const outcome = this.#judge(disturbance, answer);
    const goesOn = await this.#goOn();
    await this.#subject.ask({ kind: 'close', writer: 'writer' });
    if (disturbance === 'unmounted') await this.#disk.mount();
    else await this.#disk.mountAgain();
    await expectInvariant(this.#disk.root, this.#told, this.#step + 1);
    return isFault(disturbance) && fired === 0 ? 'missed' : `${outcome}; then ${goesOn}`;
  }

  /** To be read from the disk again. */
  async #forget(): Promise<void> {
    if (!this.#reads) return;
    await this.#subject.ask({ kind: 'close', writer: 'writer' });
    await this.#disk.mountAgain();
    await this.#open();
  }

  async #handle(disturbance: 'shut down' | 'read-only' | 'unmounted', asked: Promise<unknown>): Promise<void> {
    const { mounted, device } = this.#disk;
    await sleep(this.#dice.below(30));
    if (disturbance === 'unmounted') await run('umount', '--lazy', mounted);
    else if (disturbance === 'read-only') await this.#remountReadOnly(asked);
    else if (this.#format.name === 'xfs') await run('xfs_io', '-x', '-c', 'shutdown', mounted);
    else await run('mount', '-o', 'remount,abort', device, mounted);
  }

  /** The kernel refuses as long as a file is open for writing: it is tried until it is not. */
  async #remountReadOnly(asked: Promise<unknown>): Promise<void> {
    const remount = (): Promise<boolean> => run('mount', '-o', 'remount,ro', this.#disk.mounted).then(() => true, () => false);
    const over = asked.then(() => true, () => true);
    const soon = (): Promise<boolean> => sleep(1).then(() => false);
    while (!(await remount()) && !(await Promise.race([over, soon()])));
  }

  #judge(disturbance: Disturbance, answer: Answer): string {
    const failures = failuresOf(answer);
    for (const failure of failures) {
      // The path leads nowhere any more; what is open goes on.
      if (disturbance === 'unmounted') assert.equal(failure.code, 'ERR_SNAPSHARD_NOT_FOUND', failure.message);
      else expectTells(failure, errnos);
    }
    if (isFault(disturbance) && disturbance.action === 'delay') assert.deepEqual(failures, [], 'It was only slow.');
    if (failures.some(({ code }) => code === unknown)) this.#step += 1;
    this.#note(answer);
    if (failures.length > 0) return failures.map(({ code, errno }) => `${code} ${errno}`).join(', ');
    return (answer.value?.damaged ?? []).length > 0 ? 'damage' : 'done';
  }

  /** The same writer goes on, or says why not. */
  async #goOn(): Promise<string> {
    const answer = await this.#subject.ask(this.#saving(this.#step + 1, true));
    const failures = failuresOf(answer);
    for (const failure of failures) expectTells(failure, errnos);
    if (failures.some(({ code }) => code === unknown)) this.#step += 1;
    this.#tell(answer, this.#step + 1);
    return failures.length === 0 ? 'goes on' : failures.map(({ code }) => code).join(', ');
  }

  #note(answer: Answer): void {
    if (!this.#reads) this.#tell(answer, this.#overwrites ? this.#step : this.#step + 1);
  }

  #tell({ value }: Answer, step: number): void {
    if (value?.published === undefined) return;
    this.#step = Math.max(step, this.#step);
    this.#told = { step: this.#step, digest: value.published.digest };
  }

  #call(): SubjectCall {
    if (!this.#reads) return this.#saving(this.#overwrites ? this.#step : this.#step + 1, this.#overwrites);
    return { kind: 'check', path: join(this.#disk.root, `step-${String(this.#step).padStart(10, '0')}`) };
  }

  #saving(step: number, overwrite: boolean): SubjectCall {
    return { kind: 'save', writer: 'writer', step, seed: this.#dice.seed % 1000 + step, bytes: this.#bytes, overwrite };
  }

  async #open(): Promise<void> {
    const options = anyOptions(this.#dice);
    const answer = await this.#subject.ask({ kind: 'open', writer: 'writer', root: this.#disk.root, options });
    assert.deepEqual(failuresOf(answer), []);
  }

  async #save(): Promise<void> {
    const step = this.#step + 1;
    const answer = await this.#subject.ask(this.#saving(step, false));
    assert.deepEqual(failuresOf(answer), []);
    this.#tell(answer, step);
  }
}

/** One fault of a disk, or of its mount, under one call of the library. */
export async function diskTrial(seed: number, folder: string, format: DiskFormat): Promise<string> {
  const fast = fastFolder(folder);
  try {
    const dice = new Dice(seed);
    const disk = await FaultyDisk.make(fast.path, format, seed);
    const trial = new DiskTrial(dice, disk, format);
    try {
      return `${format.name}: ${await trial.run()}`;
    } finally {
      await trial.end();
    }
  } finally {
    fast.remove();
  }
}
