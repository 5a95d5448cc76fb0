import type { Entry, Outcome } from './entry.js';
import type { Row } from './result.js';

type Listed = Pick<Entry<never>, 'row' | 'missing'>;

/** Takes down what each row gave, round by round. Rounds before 0 only warm up, and are not kept. */
export class Records {
  readonly #rows = new Map<string, Row>();

  /** @param entries in the order of the rows */
  constructor(entries: readonly Listed[]) {
    for (const { row, missing } of entries) {
      this.#rows.set(keyOf(row), { ...row, how: '', samples: [], ...(missing !== undefined && { missing }) });
    }
  }

  get rows(): Row[] {
    return [...this.#rows.values()];
  }

  /** Whether there is something to run: not where something is missing, nor where it has failed before. */
  runs({ row }: Listed): boolean {
    return this.#row(row).missing === undefined;
  }

  add({ row }: Listed, round: number, { sample, how }: Outcome): void {
    const taken = this.#row(row);
    taken.how = how;
    if (round >= 0) taken.samples.push({ round, ...sample });
  }

  /** It is not run again. Returns why. */
  fail({ row }: Listed, error: unknown): string {
    const { samples } = this.#row(row);
    const when = samples.length === 0 ? '' : ` in round ${samples.length + 1}`;
    const reason = `it failed${when}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
    this.#row(row).missing = reason;
    return reason;
  }

  #row(row: Listed['row']): Row {
    return this.#rows.get(keyOf(row))!;
  }
}

function keyOf({ id, phase }: Pick<Row, 'id' | 'phase'>): string {
  return `${id} ${phase}`;
}

