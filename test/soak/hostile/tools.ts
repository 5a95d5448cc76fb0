import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface Tools {
  /** See swapper.c. */
  readonly swapper: string;
  /** See deny.c. */
  readonly deny: string;
}

export function whyNoTools(): string | undefined {
  return spawnSync('cc', ['--version']).status === 0 ? undefined : 'cc is not installed';
}

let compiled: Promise<Tools> | undefined;

/** Once for each process, which removes them when it ends. */
export function compileTools(): Promise<Tools> {
  compiled ??= compile();
  return compiled;
}

async function compile(): Promise<Tools> {
  const folder = mkdtempSync(join(tmpdir(), 'snapshard-hostile-'));
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
  const tools = { swapper: join(folder, 'swapper'), deny: join(folder, 'deny') };
  const sources = { swapper: 'swapper.c', deny: '../../support/deny.c' };
  for (const tool of ['swapper', 'deny'] as const) {
    const source = fileURLToPath(new URL(sources[tool], import.meta.url));
    await promisify(execFile)('cc', ['-O2', '-o', tools[tool], source]);
  }
  return tools;
}

export interface SwapperArgument {
  readonly root: string;
  /** On the same file system; made here. */
  readonly stock: string;
  readonly canary: string;
  readonly seed: number;
}

/** Swaps from now on. */
export class Swapper {
  /** Known once it has stopped. */
  swaps = 0;
  readonly #child: ChildProcess;
  #output = '';

  constructor(program: string, { root, stock, canary, seed }: SwapperArgument) {
    mkdirSync(stock);
    this.#child = spawn(program, [root, stock, canary, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout?.on('data', (text: Buffer) => (this.#output += text.toString()));
  }

  /** All that can be put back is. */
  async stop(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    await closed;
    this.swaps = Number(this.#output);
  }
}
