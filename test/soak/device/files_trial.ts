import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WriterOptions } from 'snapshard';
import { KiB, MiB } from '../../support/bytes.js';
import { expectInvariant, expectListedWhole, type Told } from '../invariant.js';
import { Dice } from '../misuse/dice.js';
import { errnoName, expectTells, unknown } from './errors.js';
import { FaultyFiles } from './faulty_files.js';
import { filesFault, mustFail, type FilesFault } from './files_fault.js';
import { Subject, type Answer, type Failure, type SubjectCall } from './subject.js';

/** What a fault befalls. */
type Deed = 'save' | 'overwrite' | 'check' | 'latest' | 'list' | 'open' | 'remove';

const deeds: readonly (readonly [number, Deed])[] = [
  [10, 'save'], [2, 'overwrite'], [4, 'check'], [1, 'latest'], [1, 'list'], [2, 'open'], [1, 'remove'],
];

export function anyOptions(dice: Dice): WriterOptions {
  return {
    ...{ stagingBytes: 4 * MiB, blockBytes: MiB, shardBytes: dice.pick([MiB + 64 * KiB, 16 * MiB]) },
    ...{ direct: dice.chance(0.6), engine: dice.pick(['auto', 'pwrite'] as const), queueDepth: dice.pick([1, 4, 16]) },
  };
}

export function anyBytes(dice: Dice): number[] {
  return [dice.below(2 * MiB), MiB + dice.below(3 * MiB), dice.below(100), dice.below(300 * KiB)];
}

/** What is asked of the subject twice: once to count what it asks of the file system, then with the fault. */
class FilesTrial {
  readonly #dice: Dice;
  readonly #files: FaultyFiles;
  readonly #subject: Subject;
  readonly #deed: Deed;
  readonly #bytes: number[];
  readonly #options: WriterOptions;
  readonly #ranks: number;
  #step = 0;
  #told: Told | undefined;
  /** Of each step that is there: its manifest's digest. */
  readonly #there = new Map<number, string>();

  constructor(dice: Dice, files: FaultyFiles, environment: Readonly<Record<string, string>>) {
    this.#dice = dice;
    this.#files = files;
    this.#subject = new Subject(environment);
    this.#deed = dice.weighted(deeds);
    this.#bytes = anyBytes(dice);
    this.#options = anyOptions(dice);
    this.#ranks = dice.chance(0.15) ? 2 : 1;
  }

  async run(): Promise<string> {
    await this.#open('writer');
    for (let count = 0; count < 3; count += 1) await this.#save(true);
    const descriptors = await this.#subject.descriptors(this.#files.root);
    await this.#files.control.lift();
    const rehearsed = await this.#do();
    expectDone(rehearsed);
    this.#note(rehearsed, true);
    const { operations } = await this.#files.control.counts();
    const fault = filesFault(this.#dice, operations);
    const what = `${this.#deed}, ${JSON.stringify(fault)}, ${JSON.stringify(this.#options)}, ${this.#ranks} ranks`;
    try {
      return await this.#befall(fault, descriptors);
    } catch (cause) {
      throw new Error(`${what}: ${String(cause instanceof Error ? cause.stack : cause)}`, { cause });
    }
  }

  async end(): Promise<void> {
    await this.#files.end();
    await this.#subject.kill();
  }

  async #befall(fault: FilesFault, descriptors: readonly string[]): Promise<string> {
    await this.#files.control.fail(fault);
    const answer = await this.#do();
    let fired = 1;
    if (fault.action === 'exit') await this.#files.revive();
    else ({ fired } = await this.#files.control.counts());
    const outcome = this.#judge(fault, answer, fired);
    await this.#files.control.lift();
    await expectListedWhole(this.#files.look, this.#told);
    if (fault.action === 'exit') await this.#openAgain();
    else await this.#goOn(descriptors);
    await this.#subject.ask({ kind: 'close', writer: 'writer' });
    await expectInvariant(this.#files.look, this.#told, this.#step + 1);
    return fired === 0 ? 'missed' : `${fault.operation} ${fault.action}: ${outcome}`;
  }

  /** The same writer saves again, reads it, and holds nothing more than before. */
  async #goOn(descriptors: readonly string[]): Promise<void> {
    await this.#save(false);
    for (const step of this.#there.keys()) await this.#expectSound(step);
    await this.#expectNoMoreThan(descriptors);
  }

  /** What was replaced is removed after the save. */
  async #expectNoMoreThan(before: readonly string[]): Promise<void> {
    for (let look = 0; ; look += 1) {
      const after = await this.#subject.descriptors(this.#files.root);
      if (after.length === before.length) return;
      assert(look < 50, `Descriptors: ${before.length} before, now ${after.join(', ')}`);
      await sleep(100);
    }
  }

  /** Where its mount is gone, a writer says so, and another takes over. */
  async #openAgain(): Promise<void> {
    const answer = await this.#subject.ask(this.#saving('writer', this.#step + 1, false));
    for (const failure of failuresOf(answer)) expectTells(failure, ['ENOTCONN', 'ECONNABORTED']);
    assert(failuresOf(answer).length > 0, 'A writer saves through a mount that is gone.');
    await this.#subject.ask({ kind: 'close', writer: 'writer' });
    await this.#open('writer');
    await this.#save(false);
    await this.#expectSound(this.#step);
  }

  #call(): SubjectCall {
    const { root } = this.#files;
    const newest = Math.max(...this.#there.keys());
    switch (this.#deed) {
      case 'save': return this.#saving('writer', this.#step + 1, false);
      case 'overwrite': return this.#saving('writer', newest, true);
      case 'check': return { kind: 'check', path: this.#pathOf(newest) };
      case 'latest': return { kind: 'latest', root };
      case 'list': return { kind: 'list', root };
      case 'open': return { kind: 'open', writer: 'other', root, options: this.#options };
      case 'remove': return { kind: 'remove', root, step: Math.min(...this.#there.keys()) };
    }
  }

  async #do(): Promise<Answer> {
    const answer = await this.#subject.ask(this.#call());
    if (this.#deed === 'open') await this.#subject.ask({ kind: 'close', writer: 'other' });
    return answer;
  }

  /** @returns what came of it, in a word */
  #judge(fault: FilesFault, answer: Answer, fired: number): string {
    const failures = failuresOf(answer);
    const errnos = fault.action === 'errno' ? [errnoName(fault.value)] : ['ENOTCONN', 'ECONNABORTED'];
    const said = failures.map((each) => `${each.code} ${each.errno}`).join(', ');
    if (fault.harmless || fired === 0) assert.deepEqual(failures, [], 'It failed for something harmless.');
    const own = failures.filter(({ code }) => !/_(RANK_FAILED|SESSION_OVER|GIVEN_UP)$/.test(code));
    for (const failure of own) expectTells(failure, errnos);
    // A directory that is stale is gone, as far as a rank can tell.
    assert(own.length > 0 || failures.length === 0 || errnos.includes('ESTALE'), `Nobody says what happened: ${said}`);
    if (failures.length === 0 && fired > 0 && this.#deed === 'save') {
      assert(!mustFail(fault), 'It was told as saved, though a call that matters had failed.');
    }
    this.#note(answer, false);
    return failures.length > 0 ? said : this.#damageOf(fault, answer);
  }

  /** What cannot be read is damage to whoever verifies; it is gone once it can. */
  #damageOf({ harmless }: FilesFault, { value }: Answer): string {
    const damaged = value?.damaged ?? [];
    if (damaged.length === 0) return 'done';
    assert(!harmless && damaged.every(({ reason }) => /EIO|cannot be/i.test(reason)), JSON.stringify(damaged));
    return 'damage';
  }

  /** What is there from now on. */
  #note(answer: Answer, sure: boolean): void {
    const { published, failures = [] } = answer.value ?? {};
    const step = this.#step + 1;
    if (this.#deed === 'save') {
      const perhaps = failures.some(({ code }) => code === unknown);
      if (published !== undefined) this.#tell(step, published.digest);
      else if (perhaps) this.#step = step;
      else assert(!sure, 'Nothing was published.');
    }
    if (this.#deed === 'overwrite' && published !== undefined) this.#tell(Math.max(...this.#there.keys()), published.digest);
    if (this.#deed === 'remove') this.#there.delete(Math.min(...this.#there.keys()));
  }

  #tell(step: number, digest: string): void {
    this.#step = Math.max(this.#step, step);
    this.#there.set(step, digest);
    this.#told = { step, digest };
  }

  async #open(writer: string): Promise<void> {
    const place = { root: this.#files.root, ranks: this.#ranks };
    const options = { ...this.#options, ...(this.#ranks > 1 && { deadlineMs: 20_000 }) };
    expectDone(await this.#subject.ask({ kind: 'open', writer, options, ...place }));
  }

  #saving(writer: string, step: number, overwrite: boolean): SubjectCall {
    return { kind: 'save', writer, step, seed: this.#dice.seed % 1000 + step, bytes: this.#bytes, overwrite };
  }

  /** A save that nothing befalls. */
  async #save(fresh: boolean): Promise<void> {
    const step = this.#step + 1;
    const answer = await this.#subject.ask(this.#saving('writer', step, !fresh));
    expectDone(answer);
    this.#tell(step, answer.value?.published?.digest ?? '');
  }

  #pathOf(step: number): string {
    return join(this.#files.root, `step-${String(step).padStart(10, '0')}`);
  }

  async #expectSound(step: number): Promise<void> {
    if (this.#deed === 'overwrite') return;
    const answer = await this.#subject.ask({ kind: 'check', path: this.#pathOf(step) });
    expectDone(answer);
    assert.deepEqual(answer.value?.damaged, [], 'It stays damaged once the fault is gone.');
  }
}

function failuresOf({ value, failure }: Answer): readonly Failure[] {
  return failure === undefined ? (value?.failures ?? []) : [failure];
}

function expectDone(answer: Answer): void {
  assert.deepEqual(failuresOf(answer), [], 'It failed with no fault.');
}

/** One fault of a file system, in one call of the library. */
export async function filesTrial(seed: number, folder: string, environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const trial = new FilesTrial(new Dice(seed), await FaultyFiles.make(folder), environment);
  try {
    return await trial.run();
  } finally {
    await trial.end();
  }
}
