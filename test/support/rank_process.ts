import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { WriterOptions } from 'snapshard';
import { MiB } from './bytes.js';
import type { RankCommand, RankPublished, RankReply, RankRequest, RankTensors } from './ranks_wire.js';
import { namesIn } from './root.js';

const program = fileURLToPath(new URL('children/rank.ts', import.meta.url));
/** For whatever must come. */
export const patience_ms = 30_000;

/** A process that is one rank, or several of different runs. */
export class RankProcess {
  readonly #child: ChildProcess;
  readonly #replies = new Map<number, (reply: RankReply<unknown>) => void>();
  readonly #ended: Promise<unknown>;
  #output = '';
  #commands = 0;
  #harmed = false;

  constructor(environment: Record<string, string> = {}) {
    const env = { ...process.env, ...environment };
    this.#child = fork(program, { execArgv: ['--import', 'tsx'], env, silent: true, serialization: 'advanced' });
    const collect = (text: Buffer): void => {
      this.#output += text.toString();
    };
    this.#child.stdout?.on('data', collect);
    this.#child.stderr?.on('data', collect);
    this.#child.on('message', ({ id, reply }: { id: number; reply: RankReply<unknown> }) => {
      this.#replies.get(id)?.(reply);
      this.#replies.delete(id);
    });
    this.#ended = once(this.#child, 'close').then(() => {
      const reply = { failure: { message: `The process of the rank has ended. ${this.#output}` } };
      for (const settle of this.#replies.values()) settle(reply);
    });
  }

  /** Whether it can be used by another test. */
  get isIntact(): boolean {
    return !this.#harmed && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it wrote, and how it ended if nobody made it. */
  get complaints(): string {
    const { exitCode, signalCode } = this.#child;
    const ended = !this.#harmed && (exitCode ?? signalCode) !== null;
    return this.#output + (ended ? `ended by itself: ${exitCode ?? signalCode}` : '');
  }

  ask<Value>(command: RankCommand): Promise<RankReply<Value>> {
    const id = this.#commands++;
    return new Promise((resolve) => {
      this.#replies.set(id, resolve as (reply: RankReply<unknown>) => void);
      this.#child.send({ id, command });
    });
  }

  async kill(): Promise<void> {
    this.#harmed = true;
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Stops it in whatever it does, until it is resumed. */
  async stop(): Promise<void> {
    this.#child.kill('SIGSTOP');
    await until(() => /^State:\tT/m.test(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')));
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }
}

let writers = 0;

/** The writer of one rank. */
export class RankWriter {
  readonly process: RankProcess;
  readonly #writer: number;

  private constructor(process: RankProcess, writer: number) {
    this.process = process;
    this.#writer = writer;
  }

  static async open(process: RankProcess, root: string, options: WriterOptions): Promise<RankReply<RankWriter>> {
    const writer = writers++;
    const small = { stagingBytes: 8 * MiB, blockBytes: MiB, deadlineMs: patience_ms };
    const reply = await process.ask({ kind: 'open', writer, root, options: { ...small, ...options } });
    return 'failure' in reply ? reply : { value: new RankWriter(process, writer) };
  }

  save(request: RankRequest): Promise<RankReply<RankPublished>> {
    return this.process.ask({ kind: 'save', writer: this.#writer, request });
  }

  close(): Promise<RankReply<undefined>> {
    return this.process.ask({ kind: 'close', writer: this.#writer });
  }
}

/** Opens a writer in each of the processes, which are ranks 0, 1, … of one run. */
export function openEach(
  processes: readonly RankProcess[],
  root: string,
  options: WriterOptions = {},
): Promise<RankReply<RankWriter>[]> {
  const worldSize = processes.length;
  const openings = processes.map((process, rank) =>
    RankWriter.open(process, root, { rank, worldSize, runId: 'run', ...options }),
  );
  return Promise.all(openings);
}

/** As {@link openEach}; all must succeed. */
export async function openRanks(
  processes: readonly RankProcess[],
  root: string,
  options?: WriterOptions,
): Promise<RankWriter[]> {
  return valuesOf(await openEach(processes, root, options));
}

/** What the ranks save that {@link saveEach} lets save. */
export interface WorldRequest extends Omit<RankRequest, 'tensors'> {
  tensors: (rank: number, worldSize: number) => RankTensors;
}

/** Saves on every rank; what some of them pass instead is in `others`. */
export function saveEach(
  ranks: readonly RankWriter[],
  { tensors, ...rest }: WorldRequest,
  others: Record<number, Partial<RankRequest>> = {},
): Promise<RankReply<RankPublished>[]> {
  const saves = ranks.map((writer, rank) =>
    writer.save({ ...rest, tensors: tensors(rank, ranks.length), ...others[rank] }),
  );
  return Promise.all(saves);
}

export async function closeRanks(ranks: readonly RankWriter[]): Promise<void> {
  valuesOf(await Promise.all(ranks.map((writer) => writer.close())));
}

export function valuesOf<Value>(replies: readonly RankReply<Value>[]): Value[] {
  return replies.map((reply) => {
    if ('failure' in reply) throw new Error(`${reply.failure.code}: ${reply.failure.message}`);
    return reply.value;
  });
}

/** Waits for something that must come. */
export async function until(condition: () => boolean): Promise<void> {
  const limit_ms = performance.now() + patience_ms;
  while (!condition()) {
    if (performance.now() > limit_ms) throw new Error(`Waited in vain: ${condition.toString()}`);
    await sleep(2);
  }
}

/** Waits for a file of the save under way, and returns the save's directory. */
export async function untilThere(root: string, file: string): Promise<string> {
  const find = (): string | undefined => {
    const partials = namesIn(root).filter((name) => name.endsWith('.partial'));
    return partials.map((name) => join(root, name)).find((path) => existsSync(join(path, file)));
  };
  await until(() => find() !== undefined);
  return find()!;
}
