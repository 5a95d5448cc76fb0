import assert from 'node:assert/strict';
import type { Answer } from '../ordered_process.js';
import { server } from '../server.js';
import type { Told } from './saver.js';

/** What tells how far it is. */
export type Act = (onTold: (told: Told) => void) => Promise<Answer<unknown>>;

/** As soon as that is told. */
export interface Moment {
  readonly name: string;
  readonly reached: (told: Told) => boolean;
}

export function atShare(share: number): Moment {
  return { name: `at ${share * 100} %`, reached: (told) => told.share >= share };
}

export const publishing: Moment = { name: 'publishing', reached: ({ phase }) => phase === 'publishing' };

export interface Begun {
  readonly answer: Promise<Answer<unknown>>;
}

/**
 * Does something in the middle of something else.
 * @returns what comes of that, asked for before
 */
export async function during({ name, reached }: Moment, act: Act, interrupt: () => void): Promise<Begun> {
  const begun = await new Promise<Begun | undefined>((resolve) => {
    const answer = act((told) => {
      if (reached(told)) resolve({ answer });
    });
    void answer.then(() => {
      resolve(undefined);
    });
  });
  assert(begun !== undefined, `It had ended before it was ${name}.`);
  interrupt();
  return begun;
}

/** To the client it is a machine that went away. */
export function stopAt(moment: Moment, act: Act): Promise<Begun> {
  return during(moment, act, () => {
    server.stop();
  });
}
