import { setTimeout as sleep } from 'node:timers/promises';
import { openRanks, RankProcess, type RankWriter } from '../../support/rank_process.js';
import type { RankPublished, RankReply, RankTensor, RankTensors } from '../../support/ranks_wire.js';

export type Reply = RankReply<RankPublished>;

/** Bytes of each rank's rows of the largest tensor. */
const rowBytes = 2 ** 20;

/** Rows of one tensor, and one that all have. */
export function tensorsOf(rank: number, worldSize: number, rows: number): RankTensors {
  const sliced: RankTensor = {
    dtype: 'U8',
    globalShape: [rows * worldSize, rowBytes],
    shape: [rows, rowBytes],
    origin: [rows * rank, 0],
  };
  return [['large', sliced], ['norm', { dtype: 'F32', shape: [5000], replicas: 'all' }]];
}

/** The processes of a run, of which some may have died. */
export class Fleet {
  readonly #all: RankProcess[] = [];
  processes: RankProcess[];
  writers: RankWriter[] = [];

  constructor(readonly worldSize: number, readonly root: string) {
    this.processes = this.#take(worldSize);
  }

  #take(count: number): RankProcess[] {
    const taken = Array.from({ length: count }, () => new RankProcess());
    this.#all.push(...taken);
    return taken;
  }

  /** With new processes for those that have died; what others had open is closed. */
  async open(deadlineMs: number): Promise<void> {
    const living = this.processes.filter((process) => process.isIntact);
    await Promise.all(living.map((process) => process.ask({ kind: 'reset' })));
    this.processes = [...living, ...this.#take(this.worldSize - living.length)];
    this.writers = await openRanks(this.processes, this.root, { deadlineMs });
  }

  /** What they wrote that they should not have. */
  get complaints(): string {
    return this.#all.map(({ complaints }) => complaints).join('');
  }

  async end(): Promise<void> {
    await Promise.all(this.#all.map((process) => process.kill()));
  }
}

/** @throws where it takes longer than anything may */
export async function within<Value>(limit_ms: number, what: string, promise: Promise<Value>): Promise<Value> {
  const ended = promise.then((value) => ({ value }));
  const result = await Promise.race([ended, sleep(limit_ms, undefined, { ref: false })]);
  if (result === undefined) throw new Error(`It did not end within ${limit_ms} ms: ${what}.`);
  return result.value;
}
