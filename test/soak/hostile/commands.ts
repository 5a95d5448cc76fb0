import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Dice } from '../misuse/dice.js';
import { expectNoSecret } from './canary.js';

const program = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const timeout_ms = 60_000;

interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function runCommand(words: readonly string[], launcher: readonly string[]): Promise<Ended> {
  const [command = '', ...rest] = [...launcher, process.execPath, program, ...words];
  const options = { timeout: timeout_ms, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    execFile(command, rest, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.signal ?? error.code ?? 'unknown'), stdout, stderr });
    });
  });
}

function checkEnd(words: readonly string[], { code, stdout, stderr }: Ended): void {
  const said = `${words.join(' ')} ended with ${code}: ${stderr}`;
  assert([0, 1, 2].includes(code as number), said);
  if (code === 2) assert.match(stderr, /^ERR_SNAPSHARD_/m, said);
  expectNoSecret(stdout + stderr, words.join(' '));
}

const exported = 'exported-';

/** What was exported to a root is data of that root alone. To be called when nobody changes it any more. */
export function checkExports(root: string): void {
  for (const folder of readdirSync(root).filter((name) => name.startsWith(exported))) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (entry.isFile()) expectNoSecret(readFileSync(join(root, folder, entry.name)), `export of ${entry.name}`);
    }
  }
}

/** Commands on a root, one after the other; the folders that are exported are made in it. */
export async function runCommands(root: string, seed: number, count: number, launcher: readonly string[]): Promise<void> {
  const dice = new Dice(seed + 1);
  for (let index = 0; index < count; index += 1) {
    const out = join(root, `${exported}${index}`);
    const words = dice.pick([
      ...[['ls', root], ['ls', root, '--json'], ['verify', root], ['inspect', root], ['rm', root, '1', '--yes']],
      ...[['export', root, out], ['export', root, out]],
    ]);
    checkEnd(words, await runCommand(words, launcher));
  }
}
