import { exploreAll, meet, requireRecovery, type Explored, type Moment } from './explorer.js';
import { Violation } from './checks.js';
import type { SaveCall } from './programs.js';
import type { Faults } from './faults.js';
import { World, type ProcessParts } from './world.js';

export interface Scenario {
  readonly name: string;
  readonly processes: readonly ProcessParts[];
  readonly faults: Partial<Faults>;
  /** What is explored begins when all have opened their writers. Default: at the very beginning. */
  readonly met?: boolean;
  /** Nothing that goes wrong here is a reason for a save to fail. */
  readonly harmless?: boolean;
  /** Whoever something goes wrong for is the one that the others name. */
  readonly culpable?: boolean;
  /** Nobody has to wait for a deadline to learn of it. */
  readonly prompt?: boolean;
}

/** The processes of one run. */
export function ranks(worldSize: number, saves: readonly SaveCall[], runId = 'run'): ProcessParts[] {
  return Array.from({ length: worldSize }, (_, rank) => ({ rank, worldSize, runId, saves }));
}

/** Goes through all that can happen in a scenario, and says how much that was. */
export async function explore(scenario: Scenario, statesMax = Infinity): Promise<Explored> {
  const begun = await World.begin(scenario.processes, scenario.faults, 'coarse');
  const start = scenario.met === true ? await meet(begun) : begun;
  return exploreAll(
    start,
    async (end) => {
      if (scenario.harmless === true) requireSuccess(end);
      if (Object.keys(scenario.faults).length === 0) requireTidiness(end);
      if (scenario.culpable === true) requireCulprit(end);
      if (scenario.prompt === true) requirePromptness(end);
      await requireRecovery(end);
    },
    statesMax,
  );
}

function requireSuccess({ world }: Moment): void {
  for (const { parts, local } of world.processes) {
    const failed = local.view.reports.filter((report) => 'failure' in report);
    if (failed.length === 0) continue;
    throw new Violation(`rank ${parts.rank} fails though nothing was wrong: ${JSON.stringify(failed)}`);
  }
}

/** Where nothing was saved, the session stays: not all ranks are known to be through with it. */
function requireTidiness({ world }: Moment): void {
  if (world.processes.some(({ parts }) => parts.saves.length === 0)) return;
  const left = world.tree.names('').filter((name) => !name.startsWith('step-'));
  if (left.length > 0) throw new Violation(`something is left over: ${left.join(' ')}`);
}

function requirePromptness({ world }: Moment): void {
  const late = world.processes.filter((process) => process.late).map(({ parts }) => parts.rank);
  if (late.length > 0) throw new Violation(`time had to pass for ${late.join()}, who could have been told`);
}

function requireCulprit({ world }: Moment): void {
  const culprits = world.processes.filter(({ wronged }) => wronged).map(({ parts }) => parts.rank);
  for (const { parts, local } of world.processes) {
    for (const report of local.view.reports) {
      if (culprits.includes(parts.rank) || !('failure' in report)) continue;
      const { ranks: named, message } = report.failure;
      if (named !== undefined && named.length > 0 && named.every((rank) => culprits.includes(rank))) continue;
      throw new Violation(`rank ${parts.rank} blames ${String(named)}, not ${culprits.join()}: ${message}`);
    }
  }
}

const one: readonly SaveCall[] = [{ step: 1 }];
/** Twice the same step. */
const again: readonly SaveCall[] = [{ step: 1 }, { step: 1, overwrite: true }];
const two: readonly SaveCall[] = [{ step: 1 }, { step: 2 }];

function each(name: string, parts: Omit<Scenario, 'name' | 'faults'>, faults: readonly (keyof Faults)[]): Scenario[] {
  return faults.map((fault) => ({ ...parts, name: `${name}: ${fault}`, faults: { [fault]: 1 } }));
}

/** What a rank can tell the others. */
const told = ['failure', 'noSpace', 'abort'] as const;

const harmless = ['stale', 'neither', 'replay', 'steal'] as const;

/** Explored in every run. */
export const scenarios: readonly Scenario[] = [
  { name: 'three ranks meet', processes: ranks(3, []), faults: {}, harmless: true },
  { name: 'two ranks meet and save', processes: ranks(2, one), faults: {}, harmless: true },
  { name: 'two ranks meet: crash and restart', processes: ranks(2, []), faults: { crash: 1, restart: 1 } },
  ...each('three ranks meet', { processes: ranks(3, []) }, ['crash', 'deadline', 'noSpace']),
  ...each('three ranks meet', { processes: ranks(3, []) }, ['freeze', 'replay', 'steal']),
  { name: 'three ranks save', processes: ranks(3, one), faults: {}, met: true, harmless: true },
  { name: 'three ranks save: crash', processes: ranks(3, one), faults: { crash: 1 }, met: true, culpable: true },
  ...each('two ranks save', { processes: ranks(2, one), met: true, culpable: true }, ['crash']),
  ...each('two ranks save', { processes: ranks(2, one), met: true, culpable: true, prompt: true }, told),
  ...each('two ranks save', { processes: ranks(2, one), met: true }, ['deadline', 'freeze']),
  ...each('two ranks save', { processes: ranks(2, one), met: true, harmless: true }, harmless),
];

/** Explored where there is more time. */
export const longScenarios: readonly Scenario[] = [
  { name: 'three ranks meet and save', processes: ranks(3, one), faults: {}, harmless: true },
  ...each('three ranks save', { processes: ranks(3, one), met: true, culpable: true, prompt: true }, told),
  ...each('three ranks save', { processes: ranks(3, one), met: true }, ['deadline', 'freeze']),
  { name: 'two ranks save: deadlines of both', processes: ranks(2, one), faults: { deadline: 2 }, met: true },
  ...each('three ranks save', { processes: ranks(3, one), met: true, harmless: true }, harmless),
  { name: 'three ranks meet: crash and restart', processes: ranks(3, []), faults: { crash: 1, restart: 1 } },
  { name: 'two ranks save: crash and restart', processes: ranks(2, one), faults: { crash: 1, restart: 1 }, met: true },
  { name: 'two ranks meet: all start again', processes: ranks(2, []), faults: { restartAll: 1 } },
  { name: 'two ranks save: deadline, neither', processes: ranks(2, one), faults: { deadline: 1, neither: 1 }, met: true },
  { name: 'two ranks save: all start again', processes: ranks(2, one), faults: { restartAll: 1 }, met: true },
  { name: 'two ranks replace: crash', processes: ranks(2, again), faults: { crash: 1 }, met: true, culpable: true },
  { name: 'two ranks save twice: crash', processes: ranks(2, two), faults: { crash: 1 }, met: true, culpable: true },
];
