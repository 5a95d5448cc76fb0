import { fileURLToPath } from 'node:url';
import { runChild } from '../lib/bench/child.js';
import type { Trial, TrialResult } from './trial.js';

/** Runs one trial in a fresh process; settles only when that process has ended. */
export function runTrial(trial: Trial, signal: AbortSignal): Promise<TrialResult> {
  return runChild(fileURLToPath(new URL('./trial.ts', import.meta.url)), trial, signal);
}
