import { spawn } from 'node:child_process';

/**
 * Runs a command to its end, also when it is aborted: then it is killed with its whole group first. No terminal's
 * Ctrl-C reaches it.
 * @returns what it printed
 * @throws the signal's reason; `ENOENT` where it is not installed; else what it said last
 */
export async function runCommand(command: string, words: readonly string[], signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const output = { out: '', error: '' };
  child.stdout.on('data', (text: Buffer) => (output.out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (output.error += text.toString()));
  const kill = (): void => {
    if (child.pid !== undefined) killGroup(child.pid);
  };
  signal.addEventListener('abort', kill, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, by) => {
        const last = output.error.trim().split('\n').at(-1);
        if (code === 0) resolve();
        else reject(new Error(`${command} ended with ${by ?? `exit code ${code}`}${last ? `: ${last}` : ''}`));
      });
    });
    return output.out;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

/** Ends a process that was started in a group of its own, and all that it started. */
export function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
