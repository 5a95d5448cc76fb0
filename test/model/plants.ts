import type { Plugin } from 'vitest/config';

/** A fault to plant: one piece of the library's text, and what stands there instead. */
export interface Plant {
  readonly name: string;
  /** Below lib/. */
  readonly file: string;
  readonly text: string;
  readonly fault: string;
  /** Where it shows. Default: where chance leads. */
  readonly scenario?: string;
}

export const plants: readonly Plant[] = [
  {
    name: 'takes any published directory of the step for its own save',
    file: 'ranks/follower.ts',
    text: 'found?.save === this.nonce',
    fault: 'found !== undefined && this.#handedIn',
  },
  {
    name: 'publishes before the last rank has handed in',
    file: 'ranks/leader.ts',
    text: 'if (check.next === session.worldSize)',
    fault: 'if (check.next === session.worldSize - 1)',
    scenario: 'two ranks meet and save',
  },
  {
    name: 'takes the directory away and does not look who was first',
    file: 'ranks/follower.ts',
    text: 'if (!(await takeAway(this.#records))) return (await this.#ending()) ?? { failure };',
    fault: 'await takeAway(this.#records);',
    scenario: 'two ranks save: deadline',
  },
  {
    name: 'a rank that is late leaves the directory to the others',
    file: 'ranks/follower.ts',
    text: 'if (!(await takeAway(this.#records))) return (await this.#ending()) ?? { failure };',
    fault: '',
    scenario: 'two ranks save: deadline',
  },
  {
    name: 'tells nobody that it has failed',
    file: 'ranks/give_up.ts',
    text: 'await records.tell(failure);',
    fault: '',
    scenario: 'two ranks save: failure',
  },
  {
    name: 'one look that shows neither name is enough',
    file: 'ranks/follower.ts',
    text: "const names = await this.#store.listRoot();\n    if (names.includes(this.path)) return undefined;",
    fault: 'const names: string[] = [];',
    scenario: 'two ranks save: neither',
  },
  {
    name: 'a rename that was done but answered with an error has failed',
    file: 'store/rename.ts',
    text: "if (!hasErrno(error, 'ENOENT', 'ESTALE', 'EEXIST')) throw error;",
    fault: 'throw error;',
    scenario: 'two ranks save: replay',
  },
];

/** Puts a fault into a module that is imported with `?planted=<its number>`. */
export function plantFaults(): Plugin {
  return {
    name: 'planted-faults',
    enforce: 'pre',
    transform(code, id) {
      const [, number] = /\?planted=(\d+)/.exec(id) ?? [];
      const plant = number === undefined ? undefined : plants[Number(number)];
      if (plant === undefined) return undefined;
      const once = code.split(plant.text).length === 2;
      if (!once) throw new Error(`"${plant.text}" is not there once in lib/${plant.file}`);
      return code.replace(plant.text, () => plant.fault);
    },
  };
}
