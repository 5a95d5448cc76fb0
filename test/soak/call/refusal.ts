import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** In place of an error: half of the bytes. */
export const short = 'SHORT';

/** refuse.c, as loaded into a process that it is preloaded into. */
interface RefuseAddon {
  attach(library: string): boolean;
  deny(call: string, errno: number): void;
  refuse(call: string, from: number, to: number, error: number): void;
  allow(): number;
  counts(): Record<string, number>;
  held(): Held;
  plant(plant: number): void;
}

/** What the add-on has of the system. */
export interface Held {
  readonly mappedBytes: number;
  readonly allocations: number;
}

const plants = ['none', 'lost', 'descriptor', 'mapping'] as const;
/** See refuse.h. */
export type CallPlant = (typeof plants)[number];

const sources = ['refuse.c', 'refuse_state.c', 'refuse_ring.c'];
const here = dirname(fileURLToPath(import.meta.url));

/** Compiles the library into a folder. */
export function buildRefusal(folder: string): string {
  const library = join(folder, 'refuse.node');
  const require = createRequire(import.meta.url);
  const headers = (require('node-api-headers') as { include_dir: string }).include_dir;
  const flags = ['-std=gnu11', '-O1', '-fno-optimize-sibling-calls', '-shared', '-fPIC', '-Wl,-z,lazy', `-I${headers}`];
  execFileSync('cc', [...flags, '-o', library, ...sources.map((name) => join(here, name))], { stdio: 'pipe' });
  return library;
}

function errnoOf(name: string): number {
  if (name === short) return -1;
  const errno = (constants.errno as Record<string, number>)[name];
  if (errno === undefined) throw new Error(`${name} is no error of this system.`);
  return errno;
}

/** Refuses calls of the system that the add-on makes in this process, into which the library is preloaded. */
export class Refusal {
  readonly #addon: RefuseAddon;

  constructor(library: string) {
    this.#addon = createRequire(import.meta.url)(library) as RefuseAddon;
  }

  /** Once the add-on is loaded; until then nothing is refused. */
  attach(): void {
    if (!this.#addon.attach('/snapshard.node')) throw new Error('The add-on is not loaded.');
  }

  /** For good, and uncounted: what another kernel does not have. */
  deny(call: string, error: string): void {
    this.#addon.deny(call, errnoOf(error));
  }

  /** Counts from now on, and refuses none. */
  watch(): void {
    this.#addon.refuse('close', 0, 0, 0);
  }

  /** The nth call from now on, or all from that one on. */
  refuse({ call, nth, error, on }: Fault): void {
    this.#addon.refuse(call, nth, on ? Number.MAX_SAFE_INTEGER : nth, errnoOf(error));
  }

  /** @returns how many were refused */
  allow(): number {
    return this.#addon.allow();
  }

  /** How often each was called since {@link watch}. */
  counts(): Map<string, number> {
    return new Map(Object.entries(this.#addon.counts()).filter(([, count]) => count > 0));
  }

  held(): Held {
    return this.#addon.held();
  }

  plant(plant: CallPlant): void {
    this.#addon.plant(plants.indexOf(plant));
  }
}

/** What is refused. */
export interface Fault {
  readonly call: string;
  /** From 1, counted from when it is armed. */
  readonly nth: number;
  /** Symbolic, or {@link short}. */
  readonly error: string;
  /** Also all later ones. */
  readonly on: boolean;
}

export function textOf({ call, nth, error, on }: Fault): string {
  return `${call} ${nth}${on ? ' and on' : ''}: ${error}`;
}
