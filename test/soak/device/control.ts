import type { Talk } from '../power/talk.js';

/** See faults.h. */
export interface Fault {
  readonly operation: string;
  /** From which on, counted from now: 1 is the next. */
  readonly first: number;
  /** 0: all that follow. */
  readonly times: number;
  readonly action: 'errno' | 'short' | 'delay' | 'hold' | 'exit';
  /** Errno, milliseconds, or a random number. */
  readonly value: number;
}

/** Sets the faults of a program that includes faults.h. */
export class Control {
  readonly #talk: Talk;

  constructor(talk: Talk) {
    this.#talk = talk;
  }

  async fail({ operation, first, times, action, value }: Fault): Promise<void> {
    await this.#order(`fail ${operation} ${first} ${times} ${action} ${value}`);
  }

  lift(): Promise<void> {
    return this.#order('lift');
  }

  /** How often each operation was asked for since the last order, and how often a fault befell one. */
  async counts(): Promise<{ readonly fired: number; readonly operations: ReadonlyMap<string, number> }> {
    this.#talk.tell('counts');
    const answer = (await this.#talk.hear()) ?? '';
    const operations = new Map(answer.split(' ').map((pair) => {
      const [name = '', count] = pair.split('=');
      return [name, Number(count)];
    }));
    const fired = operations.get('fired') ?? 0;
    operations.delete('fired');
    return { fired, operations };
  }

  async #order(line: string): Promise<void> {
    this.#talk.tell(line);
    await this.#talk.expect('done');
  }
}
