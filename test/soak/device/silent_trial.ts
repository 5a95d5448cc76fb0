import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectInvariant, type Told } from '../invariant.js';
import { Dice } from '../misuse/dice.js';
import { formats } from '../power/disk.js';
import { fastFolder } from '../power/trial.js';
import type { Control } from './control.js';
import { failuresOf } from './disk_trial.js';
import { FaultyDisk } from './faulty_disk.js';
import { FaultyFiles } from './faulty_files.js';
import { anyBytes, anyOptions } from './files_trial.js';
import { Subject, type Answer, type SubjectCall } from './subject.js';

/** What is silent, and where it is looked at once it has answered. */
interface Place {
  readonly control: Control;
  readonly root: string;
  readonly look: string;
  end(): Promise<void>;
}

/** What is done while it does not answer. */
const ends = ['answers', 'close', 'exit', 'kill'] as const;
export type End = (typeof ends)[number];

const deadlineMs = 1500;

/** Whether nothing of the process runs any more but what waits for the device: the kernel ends a thread no sooner. */
function isOver(pid: number): boolean {
  try {
    return /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

class SilentTrial {
  readonly #dice: Dice;
  readonly #place: Place;
  readonly #other: string;
  readonly #subject = new Subject();
  readonly #bytes: number[];
  #told: Told | undefined;
  #step = 0;
  #otherStep = 0;

  constructor(dice: Dice, place: Place, other: string) {
    this.#dice = dice;
    this.#place = place;
    this.#other = other;
    this.#bytes = anyBytes(dice);
  }

  async neverAnswers(end: End): Promise<string> {
    const operations = await this.#begin({ deadlineMs });
    const [operation, count] = this.#dice.pick(operations);
    const first = 1 + this.#dice.below(count);
    await this.#place.control.fail({ operation, first, times: 0, action: 'hold', value: 0 });
    const answer = await this.#asking(this.#saving('writer', this.#step + 1));
    const { fired } = await this.#place.control.counts();
    const what = `${operation} ${first}, ${end}`;
    if (fired === 0) return this.#finish('missed');
    this.#expectLate(answer, what);
    await this.#meanwhile(end, what);
    return this.#finish(`${operation}, ${end}`);
  }

  /** A device that is slow: a save takes as long, or is given up at its deadline; then the same writer goes on. */
  async stalls(stall_ms: number, limited: boolean): Promise<string> {
    const operations = await this.#begin(limited ? { deadlineMs } : {});
    const [operation, count] = this.#dice.pick(operations);
    const first = 1 + this.#dice.below(count);
    await this.#place.control.fail({ operation, first, times: 1, action: 'delay', value: stall_ms });
    const answer = await this.#asking(this.#saving('writer', this.#step + 1));
    await this.#place.control.lift();
    const what = `${operation} ${first} for ${stall_ms} ms`;
    if (!limited) assert.deepEqual(failuresOf(answer), [], what);
    if (failuresOf(answer).length > 0) this.#expectLate(answer, what);
    else this.#tell(answer);
    return this.#finish(`${what}: ${limited ? 'with a deadline' : 'waits'}`);
  }

  async end(): Promise<void> {
    await this.#place.control.lift().catch(() => undefined);
    await this.#subject.kill();
    await this.#place.end();
  }

  /** @returns how often a save asks for each operation */
  async #begin(options: { readonly deadlineMs?: number }): Promise<[string, number][]> {
    for (const [writer, root, own] of [['writer', this.#place.root, options], ['other', this.#other, {}]] as const) {
      const all = { ...anyOptions(this.#dice), ...own };
      assert.deepEqual(failuresOf(await this.#subject.ask({ kind: 'open', writer, root, options: all })), []);
    }
    await this.#save();
    await this.#place.control.lift();
    await this.#save();
    const { operations } = await this.#place.control.counts();
    const held = new Set(['write', 'flush', 'fsync', 'fsyncdir', 'create', 'mkdir', 'rename', 'fallocate', 'truncate']);
    return [...operations].filter(([name, count]) => count > 0 && held.has(name));
  }

  /** While saves to another root go on. */
  async #asking(call: SubjectCall): Promise<Answer> {
    let ended = false;
    const asked = this.#subject.ask(call).finally(() => (ended = true));
    do {
      const step = (this.#otherStep += 1);
      const answer = await this.#subject.ask({ ...this.#saving('other', step) });
      assert.deepEqual(failuresOf(answer), [], 'A save to another root is held up.');
      if (step > 1) await this.#subject.ask({ kind: 'remove', root: this.#other, step: step - 1 });
      await sleep(50);
    } while (!ended as boolean);
    return asked;
  }

  #expectLate(answer: Answer, what: string): void {
    const failures = failuresOf(answer);
    assert.equal(failures[0]?.code, 'ERR_SNAPSHARD_DEADLINE', `${what}: ${JSON.stringify(answer)}`);
    // It may yet be published.
    this.#step += 1;
  }

  async #meanwhile(end: End, what: string): Promise<void> {
    const { control } = this.#place;
    if (end === 'kill' || end === 'exit') {
      if (end === 'exit') void this.#subject.ask({ kind: 'exit', code: 3 }).catch(() => undefined);
      else void this.#subject.kill();
      for (let look = 0; !isOver(this.#subject.pid); look += 1) {
        assert(look < 450, `${what}: The process goes on.`);
        await sleep(100);
      }
      await control.lift();
      assert.equal(await this.#subject.ended, end === 'exit' ? 'code 3' : 'SIGKILL');
      return;
    }
    const next = failuresOf(await this.#asking(this.#saving('writer', this.#step + 1)));
    assert.match(next[0]?.code ?? '', /^ERR_SNAPSHARD_(DEADLINE|CLOSED)$/, what);
    this.#step += 1;
    if (end === 'close') await this.#subject.ask({ kind: 'close', writer: 'writer' });
    await control.lift();
  }

  /** The device answers: what is there is whole, and the next writer goes on. */
  async #finish(said: string): Promise<string> {
    await this.#place.control.lift();
    if (!isOver(this.#subject.pid)) {
      await this.#subject.ask({ kind: 'close', writer: 'writer' });
      await this.#subject.ask({ kind: 'close', writer: 'other' });
      await this.#expectNothingHeld();
    }
    await expectInvariant(this.#place.look, this.#told, this.#step + 1);
    await expectInvariant(this.#other, this.#otherStep > 1 ? { step: this.#otherStep - 1 } : undefined, this.#otherStep + 1);
    return said;
  }

  async #expectNothingHeld(): Promise<void> {
    for (let look = 0; ; look += 1) {
      const held = await this.#subject.descriptors(this.#place.root);
      if (held.length === 0) return;
      assert(look < 100, `Held to the end: ${held.join(', ')}`);
      await sleep(100);
    }
  }

  #saving(writer: string, step: number): SubjectCall {
    return { kind: 'save', writer, step, seed: this.#dice.seed % 1000 + step, bytes: this.#bytes };
  }

  async #save(): Promise<void> {
    const answer = await this.#subject.ask(this.#saving('writer', this.#step + 1));
    assert.deepEqual(failuresOf(answer), []);
    this.#tell(answer);
  }

  #tell({ value }: Answer): void {
    this.#step += 1;
    this.#told = { step: this.#step, digest: value?.published?.digest ?? '' };
  }
}

async function placeIn(dice: Dice, folder: string): Promise<Place> {
  if (dice.chance(0.6)) return FaultyFiles.make(folder);
  const disk = await FaultyDisk.make(folder, formats[dice.below(3)]!, dice.seed);
  return { control: disk.control, root: disk.root, look: disk.root, end: () => disk.end() };
}

const stalls_ms = [200, 500, 500, 2000, 2000, 30_000];

/** A device that is silent for a while, or until everything else is over. */
export async function silentTrial(seed: number, folder: string, chosen?: End): Promise<string> {
  const fast = fastFolder(folder);
  try {
    const dice = new Dice(seed);
    const other = join(fast.path, 'other');
    mkdirSync(other);
    const trial = new SilentTrial(dice, await placeIn(dice, fast.path), other);
    try {
      if (chosen === undefined && dice.chance(0.5)) return await trial.stalls(dice.pick(stalls_ms), dice.chance(0.5));
      return await trial.neverAnswers(chosen ?? dice.pick(ends));
    } finally {
      await trial.end();
    }
  } finally {
    fast.remove();
  }
}
