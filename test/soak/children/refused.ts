/** Puts one phase of the API to refused calls, in a process that refuse.c is preloaded into, and tells how it went. */
import { childArgument } from '../../support/child.js';
import type { FaultPlan } from '../call/faults.js';
import { Refusal, type CallPlant, type Fault } from '../call/refusal.js';
import type { Tally } from '../call/trials.js';
import { Dice } from '../misuse/dice.js';

export interface RefusedArgument {
  readonly folder: string;
  readonly library: string;
  readonly seed: number;
  readonly plan: FaultPlan;
  /** A fault of the test itself. */
  readonly plant?: CallPlant;
  /** Nothing but these. */
  readonly faults?: readonly Fault[];
}

export type RefusedMessage = { readonly trying: string } | { readonly tally: Tally };

function send(message: RefusedMessage): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => { resolve(); }));
}

const { folder, library, seed, plan, plant, faults } = childArgument() as RefusedArgument;
const refusal = new Refusal(library);
const { unitOf } = await import('../call/units.js');
const { Scene } = await import('../call/scene.js');
const { Trials } = await import('../call/trials.js');
const unit = unitOf(seed);
const { setting } = unit;
refusal.attach();
for (const [call, error] of Object.entries(setting.without)) refusal.deny(call, error);
const scene = new Scene({ folder, writer: setting.writer, direct: setting.direct });
const trials = new Trials(unit, scene, refusal, (trying) => send({ trying }));
if (plant !== undefined) refusal.plant(plant);
process.on('unhandledRejection', (reason) => { throw reason; });
await trials.run(new Dice(seed), plan, faults);
scene.close();
await send({ tally: trials.tally });
process.disconnect();
