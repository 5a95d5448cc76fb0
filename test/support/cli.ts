import { spawn } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CheckpointWriter, type Dtype, type SaveRequest, type Tensor, type Tensors, type WriterOptions } from 'snapshard';
import { randomBytes } from './bytes.js';

export const cliPath = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the built command as a user does, with no terminal. */
export function snapshard(...words: string[]): Promise<CliResult> {
  return snapshardUnder([], ...words);
}

/** The same under a command that takes something away from it, such as `['prlimit', '--fsize=4096']`. */
export async function snapshardUnder(launcher: readonly string[], ...words: string[]): Promise<CliResult> {
  const [command, ...rest] = [...launcher, process.execPath, cliPath, ...words] as [string, ...string[]];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const result: CliResult = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (text: Buffer) => (result.stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (result.stderr += text.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ ...result, code });
    });
  });
}

export interface JsonResult<T> {
  code: number | null;
  value: T;
}

/** The same with `--json`, whose output is parsed. */
export async function snapshardJson<T>(...words: string[]): Promise<JsonResult<T>> {
  const { code, stdout } = await snapshard(...words, '--json');
  return { code, value: JSON.parse(stdout) as T };
}

export interface PlainTensor {
  dtype: Dtype;
  shape: number[];
  data: Uint8Array<ArrayBuffer>;
  group?: string;
}

const widths: Partial<Record<Dtype, number>> = { F32: 4, BF16: 2, I64: 8, BOOL: 1, U8: 1, F64: 8 };

/** Random bytes of that dtype and shape. */
export function plainTensor(dtype: Dtype, shape: number[], group?: string): PlainTensor {
  const data = randomBytes(shape.reduce((product, size) => product * size, widths[dtype]!));
  if (dtype === 'BOOL') for (const [index, byte] of data.entries()) data[index] = byte & 1;
  return { dtype, shape, data, ...(group !== undefined && { group }) };
}

/** Saves with a writer of its own, and resolves to the folder of the step. */
export async function saveSolo(root: string, request: SaveRequest, options: WriterOptions = {}): Promise<string> {
  const writer = await CheckpointWriter.open(root, { stagingBytes: 2 ** 24, ...options });
  try {
    return (await writer.save(request)).path;
  } finally {
    await writer.close();
  }
}

/** Saves as several ranks of one process, and resolves to the folder of the step. */
export async function saveAsRanks(
  root: string,
  worldSize: number,
  step: number,
  tensorsOf: (rank: number) => Tensors,
  rest: Omit<SaveRequest, 'step' | 'tensors'> = {},
): Promise<string> {
  const saveOne = async (rank: number): Promise<string> => {
    const options = { stagingBytes: 2 ** 23, rank, worldSize, runId: `run-${step}`, deadlineMs: 60_000 };
    return saveSolo(root, { step, tensors: tensorsOf(rank), ...rest }, options);
  };
  const paths = await Promise.all(Array.from({ length: worldSize }, (_, rank) => saveOne(rank)));
  return paths[0]!;
}

/** A rank's part of a matrix, cut along one dimension as evenly as it can be. */
export function cut(tensor: PlainTensor, dimension: 0 | 1, rank: number, worldSize: number): Tensor {
  const [rows = 0, columns = 0] = tensor.shape;
  const size = tensor.shape[dimension]!;
  const begin = Math.floor((size * rank) / worldSize);
  const end = Math.floor((size * (rank + 1)) / worldSize);
  const width = widths[tensor.dtype]!;
  const matrix = Buffer.from(tensor.data.buffer);
  const data =
    dimension === 0
      ? matrix.subarray(begin * columns * width, end * columns * width)
      : Buffer.concat(
          Array.from({ length: rows }, (_, row) =>
            matrix.subarray((row * columns + begin) * width, (row * columns + end) * width),
          ),
        );
  return {
    dtype: tensor.dtype,
    shape: dimension === 0 ? [end - begin, columns] : [rows, end - begin],
    globalShape: tensor.shape,
    origin: dimension === 0 ? [begin, 0] : [0, begin],
    data,
    ...(tensor.group !== undefined && { group: tensor.group }),
  };
}

/** Flips one bit of a file. */
export function flipBit(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, offset);
  writeSync(file, Buffer.from([byte[0]! ^ 4]), 0, 1, offset);
  closeSync(file);
}
