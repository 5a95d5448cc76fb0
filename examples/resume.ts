import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openCheckpoint, type Checkpoint } from 'snapshard';

export interface ResumeOptions {
  /** Where the checkpoints go: an existing directory. */
  root: string;
  steps: number;
  saveEvery: number;
  /** The last checkpoint of the same run, never interrupted. */
  reference: string;
  signal: AbortSignal;
  print: (line: string) => void;
}

/**
 * Trains in a process that is killed half-way, continues in another one, and compares the last checkpoint with that of
 * a run that nobody interrupted. Throws where a single bit differs. Returns the path of the last checkpoint.
 */
export async function killAndResume(options: ResumeOptions): Promise<string> {
  const { steps, reference, print } = options;
  let last = '';
  const half = new RegExp(`^ *step +(${Math.ceil(steps / 2)}|${Math.ceil(steps / 2) + options.saveEvery}) `);
  await runTraining(options, (line) => {
    last = line;
    return half.test(line);
  });
  print(last);
  print('   killed');
  await runTraining(options, (line) => {
    if (line.includes('continues at step')) print(line);
    last = line;
    return false;
  });
  print(last);
  await using uninterrupted = await openCheckpoint(reference);
  await using resumed = await openCheckpoint(reference.replace(/^.*\//, `${options.root}/`));
  const tensors = await requireEqual(uninterrupted, resumed);
  print(`   all ${tensors} tensors, optimizer included, are bit for bit those of the run that was not interrupted`);
  return resumed.path;
}

/** Runs until it ends, or `kill` says of a line that it prints that it shall not go on. */
async function runTraining(options: ResumeOptions, kill: (line: string) => boolean): Promise<void> {
  const { root, steps, saveEvery, signal } = options;
  const script = fileURLToPath(new URL('./train/run.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, root, `${steps}`, `${saveEvery}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = (): void => void child.kill('SIGKILL');
  const ended = new Promise((resolve) => child.once('close', resolve));
  signal.addEventListener('abort', stop, { once: true });
  for await (const line of createInterface(child.stdout)) {
    if (kill(line)) stop();
  }
  await ended;
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
}

async function requireEqual(left: Checkpoint, right: Checkpoint): Promise<number> {
  for (const name of left.tensors.keys()) {
    const [one, other] = [await left.read(name), await right.read(name)];
    if (Buffer.compare(one.data, other.data) !== 0) throw new Error(`${name} differs after the run was resumed`);
  }
  return left.tensors.size;
}
