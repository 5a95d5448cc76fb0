import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Capabilities, Published, WriterOptions } from 'snapshard';
import { MiB } from './bytes.js';

/** One save of the child; all save the same tensors. */
export interface FaultyRequest {
  step: number;
  overwrite?: boolean;
  inPlace?: boolean;
  /** More bytes in one of the tensors. */
  extraBytes?: number;
  /** More tensors of a few bytes. */
  extraTensors?: number;
  /** Transfers a source away right after the call. */
  detach?: boolean;
}

export interface Failure {
  code: string;
  errno?: string;
  syscall?: string;
  message: string;
}

/** Digests as the rank manifest lists them, and SHA-256 of the shards as they are on disk. */
export interface Contents {
  files: Record<string, string>;
  tensors: Record<string, string>;
  shards: Record<string, string>;
  /** SHA-256 of tensors as they are restored, where that was asked for. */
  restored?: Record<string, string>;
}

export interface FaultySave extends Pick<Published, 'engine' | 'engineReason' | 'direct' | 'directReason'> {
  contents: Contents;
  /** In place of all else. */
  failure?: Failure;
}

export interface FaultyResult {
  capabilities: Capabilities;
  saves: FaultySave[];
  /** What is in the root afterwards. */
  names: string[];
  /** In place of all else: the writer could not be opened. */
  failure?: Failure;
}

export interface FaultyArgument {
  root: string;
  options?: WriterOptions;
  saves?: FaultyRequest[];
  /** How many descriptors the process may open once the writer is there. */
  descriptorsLeft?: number;
  /** Restores and verifies what it saved, too. */
  restore?: boolean;
}

/** Small enough that the pool runs empty, and that there are several shards. */
export const tightOptions: WriterOptions = { stagingBytes: 3 * MiB, blockBytes: MiB, shardBytes: 3 * MiB };

/** Runs the child under a command that takes something away from it, such as `['prlimit', '--nofile=40']`. */
export async function saveUnder(launcher: string[], argument: FaultyArgument): Promise<FaultyResult> {
  const program = fileURLToPath(new URL('children/faulty_save.mjs', import.meta.url));
  const complete = { options: tightOptions, saves: [{ step: 1 }], ...argument };
  const [command, ...rest] = [...launcher, process.execPath, program, JSON.stringify(complete)];
  const { stdout } = await promisify(execFile)(command, rest, { timeout: 60_000, maxBuffer: 16 * MiB });
  return JSON.parse(stdout) as FaultyResult;
}

/** Compiles deny.c into a folder. */
export function buildDeny(folder: string): string {
  const program = join(folder, 'deny');
  execFileSync('cc', ['-o', program, fileURLToPath(new URL('deny.c', import.meta.url))]);
  return program;
}

/** Why the launcher cannot be used here; `undefined` where it can. */
export function whyNot(launcher: string[]): string | undefined {
  const [command, ...rest] = [...launcher, 'true'];
  try {
    execFileSync(command, rest, { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `${command} does not work here: ${String(error).split('\n').slice(0, 2).join(' ')}`;
  }
}
