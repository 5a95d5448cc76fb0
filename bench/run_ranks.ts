import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RankAnswer, RankSave, RankTrial } from './rank_trial.js';

export type RanksTrial = Omit<RankTrial, 'rank' | 'folder'>;

/** One save of all ranks. */
export interface RanksSave {
  /** Of all shard files. */
  bytes: number;
  /** From the first call to the last rank's resolution. */
  seconds: number;
  /** From the last rank's shards being on disk to the last rank's resolution. */
  publish_ms: number;
}

/**
 * Runs one process for each rank, which save together, each save begun by all at once.
 * @param startAt_ms Unix time before which nothing is written
 */
export async function runRanks(
  trial: RanksTrial,
  folder: string,
  startAt_ms: number,
  signal: AbortSignal,
): Promise<RanksSave[]> {
  signal.throwIfAborted();
  const ranks = Array.from({ length: trial.worldSize }, (_, rank) => new RankProcess({ ...trial, folder, rank }));
  const stop = (): void => {
    for (const rank of ranks) rank.kill();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    for (let save = 0; save < trial.saves; save++) {
      await Promise.all(ranks.map((rank) => rank.answer()));
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, startAt_ms - Date.now())));
      for (const rank of ranks) rank.go();
    }
    const answers = await Promise.all(ranks.map((rank) => rank.answer()));
    const saves = answers.map((answer) => ('saves' in answer ? answer.saves : []));
    return Array.from({ length: trial.saves }, (_, save) => combine(saves.map((ofRank) => ofRank[save]!)));
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
    signal.throwIfAborted();
  }
}

function combine(saves: RankSave[]): RanksSave {
  const resolved_ms = Math.max(...saves.map((save) => save.resolved_ms));
  return {
    bytes: saves.reduce((sum, { bytes }) => sum + bytes, 0),
    seconds: (resolved_ms - Math.min(...saves.map((save) => save.called_ms))) / 1000,
    publish_ms: resolved_ms - Math.max(...saves.map((save) => save.durable_ms)),
  };
}

class RankProcess {
  readonly #child: ChildProcess;
  readonly #answers: RankAnswer[] = [];
  #wake: () => void = () => undefined;

  constructor(trial: RankTrial) {
    this.#child = fork(fileURLToPath(new URL('./rank_trial.ts', import.meta.url)), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message) => {
      this.#take(message as RankAnswer);
    });
    this.#child.on('close', () => {
      this.#take({ failure: `rank ${trial.rank} ended` });
    });
    this.#child.send(trial);
  }

  async answer(): Promise<RankAnswer> {
    while (this.#answers.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    const answer = this.#answers.shift()!;
    if ('failure' in answer) throw new Error(answer.failure);
    return answer;
  }

  go(): void {
    this.#child.send({ go: true });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #take(answer: RankAnswer): void {
    this.#answers.push(answer);
    this.#wake();
  }
}
