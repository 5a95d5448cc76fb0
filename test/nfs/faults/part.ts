import type { Part } from '../trial.js';
import { restarts } from './restarts.js';
import { endIdleSavers } from './saver.js';

/** What fails on the way to the server, on it, and beside it. */
export function faults(): Part {
  return { trials: [...restarts], end: endIdleSavers };
}
