import assert from 'node:assert/strict';
import type { ListedCheckpoint } from 'snapshard';
import type { Told } from '../invariant.js';
import type { DiskRecord } from './recording.js';

/** What the writer tells, and waits until it is recorded. */
export type Mark =
  | { readonly kind: 'saving' | 'dying' | 'removing' | 'removed'; readonly step: number }
  | { readonly kind: 'published'; readonly step: number; readonly digest: string };

interface PlacedMark {
  /** Index of its record. */
  readonly at: number;
  readonly mark: Mark;
}

const absent = 'absent';
/** Saved by a process that was killed before it could tell the digest. */
const unknown = 'unknown';

/** What may be there of each step, by what the writer had told when the power went. */
export class Ledger {
  readonly #marks: readonly PlacedMark[];

  constructor(records: readonly DiskRecord[]) {
    this.#marks = records.flatMap((record, at) => {
      return record.kind === 'mark' && record.text.startsWith('{') ? [{ at, mark: JSON.parse(record.text) as Mark }] : [];
    });
  }

  /** The digests of which one must be there, `absent` for none, `unknown` for any. */
  allowedAt(crash: number): Map<number, Set<string>> {
    const allowed = new Map<number, Set<string>>();
    for (const { at, mark } of this.#marks) {
      if (at >= crash) break;
      const { step } = mark;
      const before = allowed.get(step) ?? new Set([absent]);
      if (mark.kind === 'saving') allowed.set(step, new Set([...before, this.#digestAfter(at, step)]));
      else if (mark.kind === 'dying') allowed.set(step, new Set([...before, unknown]));
      else if (mark.kind === 'published') allowed.set(step, new Set([mark.digest]));
      else if (mark.kind === 'removing') allowed.set(step, new Set([...before, absent]));
      else allowed.set(step, new Set([absent]));
    }
    return allowed;
  }

  expect(crash: number, listed: readonly ListedCheckpoint[]): void {
    const allowed = this.allowedAt(crash);
    for (const { step } of listed) assert(allowed.has(step), `Step ${step} is there, and nobody saved it.`);
    for (const [step, digests] of allowed) {
      const found = listed.find((checkpoint) => checkpoint.step === step)?.digest ?? absent;
      assert(digests.has(found) || digests.has(unknown), `Of step ${step} there is ${found}, and may be ${[...digests].join(' or ')}.`);
    }
  }

  /** The newest that is certain, as the invariant asks for it. */
  toldAt(crash: number): Told | undefined {
    const certain = [...this.allowedAt(crash)].filter(([, digests]) => !digests.has(absent));
    const step = Math.max(...certain.map(([each]) => each));
    return certain.length === 0 ? undefined : { step };
  }

  #digestAfter(saving: number, step: number): string {
    const found = this.#marks.find(({ at, mark }) => at > saving && mark.kind === 'published' && mark.step === step);
    assert(found?.mark.kind === 'published', `The writer did not tell that step ${step} was published.`);
    return found.mark.digest;
  }
}
