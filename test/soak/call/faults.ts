import type { Dice } from '../misuse/dice.js';
import { refusable } from './catalog.js';
import type { Fault } from './refusal.js';
import type { Unit } from './units.js';

export interface FaultPlan {
  /** Those that are refused once: each time, with each error; else one in so many. */
  readonly share: number;
  /** From some time on: how many. */
  readonly lastingMax: number;
}

/** Refused for ever, these have nothing in their place: the save waits for its deadline. */
const lasting = (call: string): boolean => !['io_uring_enter', 'nanosleep', 'write (eventfd)', 'read (eventfd)'].includes(call);
const lastingError = (error: string): boolean => error !== 'EINTR' && error !== 'SHORT';
/** Of a phase that takes long. */
const fewErrors = 2;

function everyFault({ phase, on }: Unit, counts: ReadonlyMap<string, number>, dice: Dice): Fault[] {
  const faults: Fault[] = [];
  for (const [call, count] of counts) {
    const errors = refusable[call]?.errors;
    if (errors === undefined) throw new Error(`The add-on makes ${call}, of which nothing is known: list it in catalog.ts.`);
    if (on && !lasting(call)) continue;
    for (let nth = 1; nth <= count; nth += 1) {
      const some = phase.fewErrors === true ? Array.from({ length: fewErrors }, () => dice.pick(errors)) : errors;
      for (const error of new Set(some)) if (!on || lastingError(error)) faults.push({ call, nth, error, on });
    }
  }
  return faults;
}

/** What a unit is put to, decided by the dice. */
export function faultsOf(unit: Unit, counts: ReadonlyMap<string, number>, dice: Dice, plan: FaultPlan): Fault[] {
  const faults = everyFault(unit, counts, dice);
  const wanted = unit.on ? Math.min(plan.lastingMax, faults.length) : Math.ceil(faults.length * plan.share);
  if (wanted === faults.length) return faults;
  const chosen: Fault[] = [];
  while (chosen.length < wanted) chosen.push(...faults.splice(dice.below(faults.length), 1));
  return chosen;
}
