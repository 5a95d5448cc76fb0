import { fileURLToPath } from 'node:url';
import { OrderedProcess, type Answer as AnswerOf } from '../ordered_process.js';

const program = fileURLToPath(new URL('rank.mjs', import.meta.url));

export interface Saved {
  path: string;
  digest: string;
  /** When this rank's shards were durable, and when its `save` resolved: milliseconds since 1970. */
  durable_ms: number;
  resolved_ms: number;
}

export type Answer = AnswerOf<Partial<Saved>>;

export interface SaveOrder {
  step: number;
  /** Asks for what fails the check of the arguments. */
  wrong?: boolean;
}

export interface OpenOptions {
  root: string;
  rank: number;
  worldSize: number;
  runId: string;
  deadlineMs: number;
}

/** A process that is one rank, or will be. */
export class RankProcess extends OrderedProcess {
  constructor() {
    super(program);
  }

  open(options: OpenOptions): Promise<Answer> {
    return this.ask('open', options);
  }

  save(order: SaveOrder): Promise<Answer> {
    return this.ask('save', order);
  }

  close(): Promise<Answer> {
    return this.ask('close', {});
  }
}

/** Starting a process is most of the work of a scenario. */
const idle: RankProcess[] = [];

export function takeProcess(): RankProcess {
  return idle.pop() ?? new RankProcess();
}

export async function endIdle(): Promise<void> {
  await Promise.all(idle.splice(0).map((process) => process.kill()));
}

/** The ranks of one run: the first half of them on one mount, the others on the other. */
export class Fleet {
  readonly ranks: RankProcess[];

  constructor(worldSize: number) {
    this.ranks = Array.from({ length: worldSize }, takeProcess);
  }

  /** @param roots the same directory, as each mount has it */
  open(roots: readonly string[], runId: string, deadlineMs = 60_000): Promise<Answer[]> {
    return this.each((process, rank) => process.open(this.place(roots, runId, deadlineMs, rank)));
  }

  place(roots: readonly string[], runId: string, deadlineMs: number, rank: number): OpenOptions {
    const worldSize = this.ranks.length;
    const root = roots[Math.floor((rank * roots.length) / worldSize)]!;
    return { root, rank, worldSize, runId, deadlineMs };
  }

  save(step: number): Promise<Answer[]> {
    return this.each((process) => process.save({ step }));
  }

  close(): Promise<Answer[]> {
    return this.each((process) => process.close());
  }

  /** @param reusable whether the processes are well, and can be ranks of another fleet */
  async end(reusable: boolean): Promise<void> {
    await this.each(async (process) => {
      if (reusable && (await process.close()).error === undefined) idle.push(process);
      else await process.kill();
    });
  }

  each<T>(work: (process: RankProcess, rank: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.ranks.map(work));
  }
}
