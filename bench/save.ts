import { measure, type MeasureOptions } from './measure.js';
import type { Place } from '../lib/bench/place.js';
import { rows } from './rows.js';
import { trialKinds, trialNames } from './trials.js';

export function benchSave(options: MeasureOptions, place: Place, signal: AbortSignal): Promise<void> {
  return measure({ kinds: trialKinds, names: trialNames, rows }, options, place, signal);
}
