import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const python = process.env.SNAPSHARD_PYTHON ?? fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));
const script = fileURLToPath(new URL('oracle.py', import.meta.url));
const writer = fileURLToPath(new URL('foreign_writer.py', import.meta.url));

export interface OracleTensor {
  dtype: string;
  shape: number[];
  sha256: string;
  /** The dtype that torch gave it; absent where torch has none. */
  torch?: string;
}

export interface OracleShard {
  metadata: Record<string, string> | null;
  tensors: Record<string, OracleTensor>;
}

/** Per folder: its shards by file name, as Python's `safetensors` reads them. */
export function inventory(folders: readonly string[]): Promise<Record<string, OracleShard>[]> {
  return ask('inventory', folders);
}

/** Per folder: the state dict that PyTorch's distributed checkpoint loads from it. */
export function loadDistributed(folders: readonly string[]): Promise<Record<string, Omit<OracleTensor, 'dtype'>>[]> {
  return ask('dcp', folders);
}

/** What one process has of a tensor. */
export interface OracleSlice {
  origin: number[];
  shape: number[];
  sha256: string;
}

/**
 * Per folder and process: what PyTorch's distributed checkpoint loads when the processes of a mesh (`[2, 2]`) load
 * together, each its own part of each tensor.
 */
export function loadSharded(
  mesh: readonly number[],
  folders: readonly string[],
): Promise<Record<string, OracleSlice>[][]> {
  return ask('dcp-sharded', [mesh.join('x'), ...folders]);
}

/** Has the field's own libraries write checkpoints into a folder: what is in them, by their paths there. */
export async function writeForeign(
  folder: string,
  ranks: number,
): Promise<Record<string, Record<string, OracleTensor>>> {
  return run(writer, [folder, `${ranks}`]);
}

function ask<T>(command: string, folders: readonly string[]): Promise<T> {
  return run(script, [command, ...folders]);
}

async function run<T>(path: string, options: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(python, ['-W', 'ignore', path, ...options], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout) as T;
}
