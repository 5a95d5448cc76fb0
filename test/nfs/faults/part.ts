import type { Part } from '../trial.js';
import { full } from './full.js';
import { gone } from './gone.js';
import { permission } from './permission.js';
import { restarts } from './restarts.js';
import { rivals } from './rivals.js';
import { endIdleSavers } from './saver.js';
import { stale } from './stale.js';

/** What fails on the way to the server, on it, and beside it. */
export function faults(): Part {
  return { trials: [...restarts, ...gone, ...rivals, ...stale, ...permission, ...full], end: endIdleSavers };
}
