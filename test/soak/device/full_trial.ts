import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KiB, MiB } from '../../support/bytes.js';
import { expectInvariant, expectListedWhole, leftoversIn, type Told } from '../invariant.js';
import { Dice } from '../misuse/dice.js';
import { formats, run, whileMounted, type DiskFormat } from '../power/disk.js';
import { fastFolder } from '../power/trial.js';
import { failuresOf } from './disk_trial.js';
import { expectTells } from './errors.js';
import { anyOptions } from './files_trial.js';
import { fillBlocks, fillInodes, fillQuota, type Filler } from './filler.js';
import { Subject, type Answer, type Failure } from './subject.js';

/** What a file system has no more of. */
export interface Shortage {
  readonly name: string;
  readonly format: DiskFormat;
  readonly fill: (place: string) => Filler | Promise<Filler>;
}

const [ext4, xfs, btrfs] = formats as [DiskFormat, DiskFormat, DiskFormat];
const withoutJournal: DiskFormat = { ...ext4, make: ['mkfs.ext4', '-q', '-m', '0', '-O', '^has_journal'] };
const fewInodes: DiskFormat = { ...ext4, make: ['mkfs.ext4', '-q', '-m', '0', '-N', '96'] };

export const shortages: readonly Shortage[] = [
  { name: 'ext4 full', format: ext4, fill: fillBlocks },
  { name: 'XFS full', format: xfs, fill: fillBlocks },
  { name: 'btrfs full', format: btrfs, fill: fillBlocks },
  { name: 'ext4 without a journal full', format: withoutJournal, fill: fillBlocks },
  { name: 'ext4 out of inodes', format: fewInodes, fill: fillInodes },
  { name: 'btrfs at its quota', format: btrfs, fill: fillQuota },
];

let launcher: Promise<string> | undefined;

/** Runs a command where these calls are refused; see deny.c. */
async function denying(rule: string): Promise<string[]> {
  const build = async (): Promise<string> => {
    const program = join(mkdtempSync(join(tmpdir(), 'snapshard-deny-')), 'deny');
    await run('cc', '-o', program, fileURLToPath(new URL('../../support/deny.c', import.meta.url)));
    return program;
  };
  return [await (launcher ??= build()), rule];
}

/** Enough for any of the saves. */
const savesMax = 2000;

class FullTrial {
  readonly #dice: Dice;
  readonly #root: string;
  readonly #subject: Subject;
  readonly #ranks: number;
  readonly #overwrites: boolean;
  readonly #bytes: readonly number[];
  /** System calls that found no room. */
  readonly seen = new Set<string>();
  failed = 0;
  #told: Told | undefined;

  constructor(dice: Dice, root: string, subject: Subject) {
    this.#dice = dice;
    this.#root = root;
    this.#subject = subject;
    this.#ranks = dice.chance(0.15) ? 2 : 1;
    this.#overwrites = dice.chance(0.3);
    this.#bytes = [dice.below(600 * KiB), MiB + dice.below(600 * KiB), dice.below(100)];
  }

  async run(mounted: string, shortage: Shortage): Promise<void> {
    mkdirSync(this.#root);
    // So that it is one or another entry for which the directory needs its next block.
    for (let count = this.#dice.below(40); count > 0; count -= 1) writeFileSync(join(this.#root, 'x'.repeat(250) + String(count)), '');
    const options = { ...anyOptions(this.#dice), ...(this.#ranks > 1 && { deadlineMs: 4000 }) };
    const opened = await this.#subject.ask({ kind: 'open', writer: 'writer', root: this.#root, ranks: this.#ranks, options });
    assert.deepEqual(failuresOf(opened), []);
    assert.deepEqual(failuresOf(await this.#save(1)), []);
    const filler = await shortage.fill(mounted);
    try {
      await this.#sweep(filler, shortage.format === btrfs ? 64 * KiB : 4 * KiB);
    } finally {
      await filler.end();
    }
    assert.deepEqual(failuresOf(await this.#save(3)), [], 'It does not go on, though there is room again.');
    await this.#subject.ask({ kind: 'close', writer: 'writer' });
    await expectInvariant(this.#root, this.#told, 4);
  }

  /** The same writer tries until there is room enough. */
  async #sweep(filler: Filler, leastBytes: number): Promise<void> {
    const stepBytes = leastBytes * this.#dice.pick([1, 4, 8, 16]) * (this.#ranks > 1 ? 8 : 1);
    const step = this.#overwrites ? 1 : 2;
    for (let attempt = 0; ; attempt += 1) {
      assert(attempt < savesMax, 'There is never room enough.');
      const failures = failuresOf(await this.#save(step));
      if (failures.length === 0) break;
      this.failed += 1;
      this.#judge(failures);
      if (attempt % 16 === 0) await expectListedWhole(this.#root, this.#told);
      await filler.giveBack(stepBytes);
    }
    assert(this.failed > 0, 'There was room enough from the start.');
  }

  #judge(failures: readonly Failure[]): void {
    const own = failures.filter(({ code }) => !/_(RANK_FAILED|DEADLINE)$/.test(code));
    assert(own.length > 0, `Nobody says that it was full: ${JSON.stringify(failures)}`);
    for (const failure of own) {
      expectTells(failure, ['ENOSPC', 'EDQUOT']);
      assert.equal(failure.code, 'ERR_SNAPSHARD_NO_SPACE');
      this.seen.add(failure.syscall ?? '');
    }
    if (this.#ranks === 1) assert.deepEqual(leftoversIn(this.#root), [], `It left something behind: ${JSON.stringify(failures)}`);
  }

  async #save(step: number): Promise<Answer> {
    const place = { writer: 'writer', step, overwrite: step === 1, seed: this.#dice.seed % 1000 + step };
    const answer = await this.#subject.ask({ kind: 'save', ...place, bytes: this.#bytes });
    const { published } = answer.value ?? {};
    if (published !== undefined) this.#told = { step, ...(step > 1 && { digest: published.digest }) };
    return answer;
  }
}

/** One sweep from no room at all to room enough. */
export async function fullTrial(seed: number, folder: string, shortage: Shortage): Promise<string> {
  const fast = fastFolder(folder);
  const dice = new Dice(seed);
  const unallocated = dice.chance(0.4);
  try {
    const [image, mounted] = [join(fast.path, 'image'), join(fast.path, 'mounted')];
    writeFileSync(image, '');
    truncateSync(image, shortage.format.bytes);
    mkdirSync(mounted);
    await run(...shortage.format.make, image);
    let said = '';
    await whileMounted(image, ['loop', shortage.format.mountOptions], mounted, async () => {
      const subject = new Subject({}, unallocated ? await denying('fallocate=EOPNOTSUPP') : []);
      try {
        const trial = new FullTrial(dice, join(mounted, 'checkpoints'), subject);
        await trial.run(mounted, shortage);
        said = `${[...trial.seen].sort().join(', ')} of ${trial.failed} saves`;
      } finally {
        await subject.kill();
      }
    });
    return `${shortage.name}: ${said}`;
  } finally {
    fast.remove();
  }
}
