import {
  checkEnd,
  checkReport,
  checkStore,
  checkWorld,
  memoryKey,
  nothingYet,
  requireNoneReplaced,
  Violation,
  type Memory,
} from './checks.js';
import { Tree } from './tree.js';
import { World, type Event } from './world.js';

/** A moment, and how it came about. */
export interface Moment {
  readonly world: World;
  readonly memory: Memory;
  readonly before: Moment | undefined;
  readonly event: Event | undefined;
}

/** What else must hold where nothing more happens; throws a {@link Violation}. */
export type EndCheck = (moment: Moment) => void | Promise<void>;

export interface Explored {
  readonly states: number;
  readonly events: number;
  readonly ends: number;
  readonly complete: boolean;
}

async function begin(world: World, earlier?: Memory): Promise<Moment> {
  const memory = earlier ?? (await checkStore(Tree.empty, world.tree, nothingYet));
  return { world, memory, before: undefined, event: undefined };
}

/** Goes through all that can happen. */
export async function exploreAll(start: World, endCheck: EndCheck, statesMax = Infinity): Promise<Explored> {
  const seen = new Set<string>();
  const stack: Moment[] = [await begin(start)];
  let [events, ends] = [0, 0];
  while (stack.length > 0 && seen.size < statesMax) {
    const moment = stack.pop()!;
    const key = keyOf(moment);
    if (seen.has(key)) continue;
    seen.add(key);
    const next = moment.world.events();
    if (next.length === 0) {
      ends += 1;
      await checked(moment, endCheck);
    }
    for (const event of next) {
      events += 1;
      const after = await step(moment, event);
      if (!seen.has(keyOf(after))) stack.push(after);
    }
  }
  return { states: seen.size, events, ends, complete: stack.length === 0 };
}

/** Goes one way through what can happen: `choose` says which of so many events is next. */
export async function walk(
  start: World,
  choose: (events: readonly Event[]) => Event,
  endCheck: EndCheck,
  earlier?: Memory,
): Promise<Moment> {
  let moment = await begin(start, earlier);
  for (;;) {
    const events = moment.world.events();
    if (events.length === 0) {
      await checked(moment, endCheck);
      return moment;
    }
    moment = await step(moment, choose(events));
  }
}

const keys = new WeakMap<Moment, string>();

function keyOf(moment: Moment): string {
  let key = keys.get(moment);
  if (key === undefined) {
    key = `${moment.world.key}|${memoryKey(moment.memory)}`;
    keys.set(moment, key);
  }
  return key;
}

async function step(moment: Moment, event: Event): Promise<Moment> {
  const result = moment.world.after(event);
  const world = result instanceof Promise ? await result : result;
  const after: Moment = { world, memory: moment.memory, before: moment, event };
  try {
    const changed = world.tree !== moment.world.tree;
    const memory = changed ? await checkStore(moment.world.tree, world.tree, moment.memory) : moment.memory;
    const now = { ...after, memory };
    if (checkReports(moment.world, now) || memory.published !== moment.memory.published) checkWorld(world, memory);
    return now;
  } catch (error) {
    throw explained(error, after);
  }
}

/** Returns whether anybody told anything new. */
function checkReports(before: World, { world, memory }: Moment): boolean {
  let any = false;
  world.processes.forEach((process, index) => {
    const earlier = before.processes[index]?.local.view.reports.length ?? 0;
    for (const report of process.local.view.reports.slice(earlier)) {
      any = true;
      checkReport(process, report, memory);
    }
  });
  return any;
}

async function checked(moment: Moment, endCheck: EndCheck): Promise<void> {
  try {
    checkEnd(moment.world);
    await endCheck(moment);
  } catch (error) {
    throw explained(error, moment);
  }
}

function explained(error: unknown, moment: Moment): unknown {
  if (!(error instanceof Violation)) return error;
  return new Violation(`${error.message}\n${describe(moment)}`);
}

/** The schedule that led here, and what the ranks have told. */
export function describe(moment: Moment): string {
  const lines: string[] = [];
  for (let each: Moment | undefined = moment; each?.event !== undefined; each = each.before) {
    const { process, what } = each.event;
    lines.push(`  p${process} (rank ${each.world.processes[process]!.parts.rank}) ${what}`);
  }
  const told = moment.world.processes.map(
    ({ parts, local, state }, index) =>
      `  p${index} (rank ${parts.rank}, ${state}): ${JSON.stringify(local.view.reports)}`,
  );
  return [...lines.reverse(), 'What they told:', ...told, 'In the store:', ...storeLines(moment)].join('\n');
}

function storeLines({ world }: Moment): string[] {
  return [...world.tree.entries].map(([path, entry]) => `  ${path} (${entry})`).sort();
}

/** Lets all ranks open their writers, in one way of many, with nothing going wrong. */
export async function meet(world: World): Promise<World> {
  let met = world;
  for (;;) {
    const opening = (event: Event): boolean => met.processes[event.process]!.local.view.reports.length === 0;
    const event = met.events().find((each) => each.fault === undefined && opening(each));
    if (event === undefined) return met;
    met = await met.after(event);
  }
}

const laterStep = 99;
const recovered = new WeakMap<Tree, Promise<void>>();

/** Whatever has happened: when all processes are gone and all ranks start again, their next save is published. */
export function requireRecovery({ world, memory }: Moment): Promise<void> {
  let tree = world.tree;
  for (const index of world.processes.keys()) tree = tree.release(`p${index}`);
  let found = recovered.get(tree);
  if (found === undefined) {
    found = recover(world, tree, memory);
    recovered.set(tree, found);
  }
  return found;
}

async function recover(world: World, tree: Tree, memory: Memory): Promise<void> {
  const ranks = new Map(world.processes.map(({ parts }) => [`${parts.runId} ${parts.rank}`, parts]));
  const [first] = ranks.values();
  const again = [...ranks.values()].filter(({ runId }) => runId === first?.runId);
  const processes = again.map((parts) => ({ ...parts, saves: [{ step: laterStep }] }));
  let turn = 0;
  const end = await walk(
    await World.begin(processes, {}, 'fine', tree, world.moment + 1),
    (events) => events[(turn += 1) % events.length]!,
    () => undefined,
    memory,
  );
  const saved = end.world.processes.filter(({ local }) => local.view.reports.some(({ kind }) => kind === 'saved'));
  if (saved.length < processes.length) throw new Violation(`started again, the ranks cannot save:\n${describe(end)}`);
  requireNoneReplaced(end.world.tree);
}
