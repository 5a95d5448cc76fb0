import { noFaults, type Faults } from './faults.js';
import { LocalState, type Grain } from './local_states.js';
import { describe, isPrivate, isPrivateName, isRootSync } from './operations.js';
import { programOf, type ProgramParts } from './programs.js';
import type { Input } from './rank_run.js';
import { Tree, type Answer, type Operation } from './tree.js';

export interface ProcessParts extends ProgramParts {
  /** Moments by which its clock is behind. */
  readonly slow?: number;
}

export interface ProcessState {
  readonly parts: ProcessParts;
  readonly local: LocalState;
  readonly state: 'up' | 'crashed' | 'frozen';
  /** Something went wrong for it. */
  readonly wronged: boolean;
  /** Its time was up. */
  readonly late: boolean;
  /** The rank has been started again. */
  readonly replaced: boolean;
  /** It may not see what was before this tree (an index into the past of the world). */
  readonly horizon: number;
}

export interface Event {
  readonly process: number;
  readonly what: string;
  /** Which fault it is; `undefined`: none. */
  readonly fault?: keyof Faults;
  readonly input?: Input;
  /** Nobody else can tell whether it has happened: nothing need be tried before it. */
  readonly unseen?: boolean;
  /** The store after it. */
  readonly tree?: () => Tree;
  readonly state?: ProcessState['state'];
}

/** How many earlier trees can still be seen. */
const pastMax = 4;

type WorldParts = Pick<World, 'tree' | 'processes' | 'left' | 'moment' | 'past' | 'grain'>;

/** One moment of all ranks and the store. Never changes. */
export class World {
  readonly tree: Tree;
  readonly processes: readonly ProcessState[];
  readonly left: Faults;
  /** Processes started so far, but for those that were there from the beginning. */
  readonly moment: number;
  /** Earlier trees, the latest last; only where a fault may show them. */
  readonly past: readonly Tree[];
  readonly grain: Grain;

  constructor(parts: WorldParts) {
    this.grain = parts.grain;
    this.tree = parts.tree;
    this.processes = parts.processes;
    this.left = parts.left;
    this.moment = parts.moment;
    this.past = parts.past;
  }

  static async begin(
    processes: readonly ProcessParts[],
    faults: Partial<Faults>,
    grain: Grain,
    tree = Tree.empty,
    moment = 0,
  ): Promise<World> {
    const world = new World({ tree, processes: [], left: { ...noFaults, ...faults }, moment, past: [], grain });
    let begun = world;
    for (const parts of processes) begun = await begun.#started(parts);
    return begun;
  }

  get key(): string {
    const processes = this.processes.map(({ local, state, wronged, late, replaced, horizon }) => {
      if (state === 'crashed') return `crashed ${replaced} ${JSON.stringify(local.view.reports)}`;
      return `${local.key} ${state} ${wronged} ${late} ${replaced} ${this.past.length === 0 ? '' : horizon}`;
    });
    const past = this.past.map(({ id }) => id).join(' ');
    return [this.tree.id, this.moment, Object.values(this.left).join(' '), past, ...processes].join('|');
  }

  /** Whatever may happen next. Empty: it is over. */
  events(): Event[] {
    const steps = this.#up().flatMap((process) => this.#steps(process));
    const faults = [...this.#up().flatMap((process) => this.#mishaps(process)), ...this.#restarts(), ...this.#thaws()];
    const eager = steps.find((event) => event.unseen);
    if (eager !== undefined) return [eager, ...faults.filter(({ process }) => process === eager.process)];
    if (steps.length > 0) return [...steps, ...faults];
    // Nobody can do anything before somebody's time is up.
    const late = this.#up().filter((process) => this.#local(process).view.alarms > 0);
    return [...late.map(becomeLate), ...faults];
  }

  /** The world after an event; a promise where real code must run for it. */
  after(event: Event): World | Promise<World> {
    if (event.what === 'all start again' || event.what === 'starts again') return this.#restart(event);
    const before = this.processes[event.process]!;
    const wronged = before.wronged || event.fault !== undefined;
    const late = before.late || event.input?.kind === 'late';
    const changed = { ...before, wronged, late, ...(event.state && { state: event.state }) };
    if (event.input === undefined) return this.#with(event, changed);
    const known = before.local.known(event.input, this.moment);
    if (known !== undefined) return this.#with(event, { ...changed, local: known });
    return before.local.next(event.input, this.moment).then((local) => this.#with(event, { ...changed, local }));
  }

  #with(event: Event, changed: ProcessState): World {
    const { process, fault } = event;
    const tree = event.tree?.() ?? this.tree;
    const left = fault === undefined ? this.left : { ...this.left, [fault]: this.left[fault] - 1 };
    const remembering = this.left.stale > 0 || this.left.neither > 0;
    const past = remembering && tree !== this.tree ? [...this.past, this.tree].slice(-pastMax) : this.past;
    const dropped = remembering && tree !== this.tree && this.past.length === pastMax ? 1 : 0;
    const processes = this.processes.map((each, index) => {
      const own = index === process ? changed : each;
      const answered = index === process && event.input?.kind === 'answer';
      const horizon = answered ? past.length : Math.max(0, own.horizon - dropped);
      return { ...own, horizon };
    });
    return this.#but({ tree, processes, left, past: remembering ? past : [] });
  }

  #but(changed: Partial<WorldParts>): World {
    const { tree, processes, left, moment, past, grain } = this;
    return new World({ tree, processes, left, moment, past, grain, ...changed });
  }

  async #started(parts: ProcessParts): Promise<World> {
    const identity = { process: this.processes.length, slow: parts.slow ?? 0 };
    const local = await LocalState.start(identity, programOf(parts), this.moment, this.grain);
    const horizon = this.past.length;
    const untouched = { wronged: false, late: false, replaced: false };
    const started: ProcessState = { parts, local, state: 'up', ...untouched, horizon };
    return this.#but({ processes: [...this.processes, started] });
  }

  async #restart({ process, what, fault }: Event): Promise<World> {
    const whom = what === 'all start again' ? this.#current() : [process];
    const left = { ...this.left, ...(fault && { [fault]: this.left[fault] - 1 }) };
    const processes = this.processes.map((each, index) => (whom.includes(index) ? { ...each, replaced: true } : each));
    let world: World = this.#but({ left, processes, moment: this.moment + 1 });
    for (const index of whom) world = await world.#started(this.processes[index]!.parts);
    return world;
  }

  #all(): number[] {
    return this.processes.map((_, index) => index);
  }

  #current(): number[] {
    return this.#all().filter((index) => !this.processes[index]!.replaced);
  }

  #up(): number[] {
    return this.#all().filter((index) => this.processes[index]!.state === 'up' && !this.#local(index).view.ended);
  }

  #local(process: number): LocalState {
    return this.processes[process]!.local;
  }

  /** What happens where nothing goes wrong. */
  #steps(process: number): Event[] {
    const { operations, writing, asleep } = this.#local(process).view;
    const [operation] = operations;
    const events: Event[] = [];
    if (operation !== undefined) events.push(this.#done(process, operation));
    if (writing !== undefined) {
      const tree = (): Tree => this.tree.fill(writing);
      events.push({ process, what: 'has written its shards', input: { kind: 'written' }, tree });
    }
    const free = this.grain === 'fine' || operation === undefined;
    if (asleep && free && this.#sees(process)) events.push({ process, what: 'looks again', input: { kind: 'woken' } });
    return events;
  }

  #done(process: number, operation: Operation): Event {
    const { tree, answer } = this.tree.run(operation);
    const unseen = !('errno' in answer) && (isRootSync(operation) || (this.grain === 'coarse' && isPrivate(operation)));
    const input: Input = { kind: 'answer', answer: this.#shown(operation, answer) };
    return { process, what: describe(operation, answer), input, tree: () => tree, ...(unseen && { unseen }) };
  }

  #shown(operation: Operation, answer: Answer): Answer {
    if (this.grain === 'fine' || operation.call !== 'list' || !('value' in answer)) return answer;
    if (!Array.isArray(answer.value)) return answer;
    return { value: answer.value.filter((name: string) => !isPrivateName(name)) };
  }

  /** Whether a look would show something else than the last one did. */
  #sees(process: number): boolean {
    const { seen } = this.#local(process);
    return seen.some(({ operation, answer }) => {
      const now = this.#shown(operation, this.tree.run(operation).answer);
      return now !== answer && JSON.stringify(now) !== JSON.stringify(answer);
    });
  }

  #mishaps(process: number): Event[] {
    const { operations, writing, alarms, saving } = this.#local(process).view;
    const [operation] = operations;
    const { left } = this;
    const events: Event[] = [];
    const holder = `p${process}`;
    if (left.crash > 0) {
      const release = (): Tree => this.tree.release(holder);
      events.push({ process, what: 'dies', fault: 'crash', tree: release, state: 'crashed' });
      if (operation?.call === 'writeFiles') {
        const tear = (): Tree => release().tear(operation);
        events.push({ process, what: 'dies in a write', fault: 'crash', tree: tear, state: 'crashed' });
      }
    }
    if (left.freeze > 0) events.push({ process, what: 'is frozen', fault: 'freeze', state: 'frozen' });
    if (left.deadline > 0 && alarms > 0) events.push({ ...becomeLate(process), fault: 'deadline' });
    if (left.abort > 0 && saving) {
      events.push({ process, what: 'is aborted', fault: 'abort', input: { kind: 'abort' } });
    }
    if (left.failure > 0 && writing !== undefined) {
      const input: Input = { kind: 'written', failure: 'source-changed' };
      events.push({ process, what: 'cannot read its bytes', fault: 'failure', input });
    }
    if (left.noSpace > 0 && writing !== undefined) {
      const input: Input = { kind: 'written', failure: 'ENOSPC' };
      events.push({ process, what: 'finds no space for its shards', fault: 'noSpace', input });
    }
    if (operation !== undefined) events.push(...this.#badAnswers(process, operation));
    return events;
  }

  #badAnswers(process: number, operation: Operation): Event[] {
    const { left } = this;
    const events: Event[] = [];
    const { tree, answer } = this.tree.run(operation);
    const add = (fault: keyof Faults, told: Answer, after = this.tree): void => {
      const what = `${describe(operation, told)} (${fault})`;
      events.push({ process, what, fault, input: { kind: 'answer', answer: told }, tree: () => after });
    };
    const done = !('errno' in answer);
    if (left.replay > 0 && operation.call === 'rename' && done) {
      add('replay', { errno: 'ENOENT' }, tree);
      add('replay', { errno: 'EEXIST' }, tree);
    }
    const writes = ['writeFiles', 'openFiles', 'makeDirectory'].includes(operation.call);
    if (left.noSpace > 0 && writes && done) {
      add('noSpace', { errno: 'ENOSPC' });
      const torn = this.tree.tear(operation);
      if (torn !== this.tree) add('noSpace', { errno: 'ENOSPC' }, torn);
    }
    const told = new Set([JSON.stringify(answer)]);
    const addOnce = (fault: keyof Faults, other: Answer): void => {
      const text = JSON.stringify(other);
      if (!told.has(text)) add(fault, other);
      told.add(text);
    };
    const visible = this.past.slice(this.processes[process]!.horizon);
    if (left.stale > 0 && ['list', 'readFile', 'readTail'].includes(operation.call)) {
      for (const earlier of visible) addOnce('stale', earlier.run(operation).answer);
    }
    if (left.neither > 0 && operation.call === 'list' && 'value' in answer && Array.isArray(answer.value)) {
      const [before] = visible;
      const names = answer.value as readonly string[];
      const kept = before === undefined ? names : names.filter((name) => before.names(operation.path).includes(name));
      addOnce('neither', { value: kept });
    }
    if (left.steal > 0 && operation.call === 'reclaim' && this.tree.isHeld(operation.from)) {
      const { from, to } = operation;
      add('steal', { value: true }, this.tree.run({ call: 'rename', from, to }).tree);
    }
    return events;
  }

  #thaws(): Event[] {
    const frozen = this.#all().filter((process) => this.processes[process]!.state === 'frozen');
    return frozen.map((process) => ({ process, what: 'goes on', state: 'up' }));
  }

  #restarts(): Event[] {
    const events: Event[] = [];
    for (const [process, { state, replaced }] of this.processes.entries()) {
      if (this.left.restart > 0 && state === 'crashed' && !replaced) {
        events.push({ process, what: 'starts again', fault: 'restart' });
      }
    }
    if (this.left.restartAll > 0) events.push({ process: 0, what: 'all start again', fault: 'restartAll' });
    return events;
  }

}

function becomeLate(process: number): Event {
  return { process, what: 'is late', input: { kind: 'late' } };
}
