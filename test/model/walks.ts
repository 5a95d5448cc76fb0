import { Violation, forgetCheckpoints } from './checks.js';
import { requireRecovery, walk } from './explorer.js';
import { randomNumbers } from './random.js';
import { ranks } from './scenarios.js';
import type { SaveCall } from './programs.js';
import { forgetTrees } from './tree.js';
import type { Faults } from './faults.js';
import { World, type Event, type ProcessParts } from './world.js';

export interface WalkParts {
  readonly processes: readonly ProcessParts[];
  /** The most of each; how many of them one walk has is left to chance. */
  readonly faults: Partial<Faults>;
}

const everything: Faults = {
  crash: 2,
  restart: 2,
  restartAll: 1,
  freeze: 1,
  deadline: 2,
  abort: 1,
  failure: 1,
  noSpace: 2,
  stale: 3,
  neither: 2,
  replay: 2,
  steal: 1,
};
const again: readonly SaveCall[] = [
  { step: 1, overwrite: true, files: { 'config.json': '{}' } },
  { step: 1, overwrite: true },
];
/** One rank's second call fails before it begins. */
const wrongOnce = ranks(2, [{ step: 1 }, { step: 2 }, { step: 3 }]).map((parts): ProcessParts =>
  parts.rank === 0 ? parts : { ...parts, saves: [{ step: 1 }, { step: 2, wrong: true }, { step: 3 }] },
);
/** The ranks do not agree on what they save. */
const disagreeing = ranks(2, [{ step: 1 }, { step: 3 }]).map((parts): ProcessParts =>
  parts.rank === 0 ? parts : { ...parts, saves: [{ step: 1 }, { step: 2 }, { step: 3 }] },
);

export const walkKinds: readonly WalkParts[] = [
  { processes: ranks(3, [{ step: 1 }, { step: 2 }]), faults: everything },
  { processes: ranks(2, again), faults: everything },
  {
    processes: ranks(3, [{ step: 1 }, { step: 2 }]).map((parts) => ({ ...parts, pipelined: true })),
    faults: everything,
  },
  { processes: [...ranks(2, [{ step: 1 }], 'run'), ...ranks(2, [{ step: 1 }], 'other')], faults: everything },
  { processes: wrongOnce, faults: { ...everything, crash: 0, restart: 0, restartAll: 0 } },
  { processes: disagreeing, faults: { deadline: 1, replay: 1, stale: 1 } },
  { processes: ranks(3, [{ step: 1 }]).map((parts) => ({ ...parts, slow: parts.rank })), faults: everything },
];

/** Of events, how many go wrong where they can. */
const faultShare = 0.03;

export interface Walked {
  readonly events: number;
  readonly outcome: string;
}

/** Goes one way that a seed decides, and then sees whether the run can go on from there. */
export async function randomWalk({ processes, faults }: WalkParts, seed: number): Promise<Walked> {
  forgetTrees();
  forgetCheckpoints();
  const random = randomNumbers(seed);
  const chosen = Object.fromEntries(
    Object.entries(faults).map(([name, most]) => [name, Math.floor(random() * (most + 1))]),
  ) as Partial<Faults>;
  // Some processes are quicker than others.
  const speeds = Array.from({ length: 64 }, () => random() ** 3 + 0.02);
  const pick = (events: readonly Event[]): Event => pickEvent(events, random, speeds);
  let events = 0;
  const choose = (all: readonly Event[]): Event => {
    events += 1;
    return pick(all);
  };
  try {
    const end = await walk(await World.begin(processes, chosen, 'fine'), choose, requireRecovery);
    const told = end.world.processes.flatMap(({ local }) =>
      local.view.reports.map((report) => ('failure' in report ? report.failure.code : report.kind)),
    );
    return { events, outcome: told.join(' ') };
  } catch (error) {
    throw error instanceof Violation ? new Violation(`With seed ${seed}: ${error.message}`) : error;
  }
}

function pickEvent(all: readonly Event[], random: () => number, speeds: readonly number[]): Event {
  const wrong = all.filter(({ fault }) => fault !== undefined);
  const right = all.filter(({ fault }) => fault === undefined);
  const events = right.length === 0 || (wrong.length > 0 && random() < faultShare) ? wrong : right;
  if (events === wrong) return events[Math.floor(random() * events.length)]!;
  const weights = events.map(({ process, what }) => speeds[process % speeds.length]! * (what === 'goes on' ? 0.02 : 1));
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  return events.find((_, index) => (left -= weights[index]!) <= 0) ?? events.at(-1)!;
}
