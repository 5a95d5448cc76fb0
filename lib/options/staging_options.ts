import { z } from 'zod';
import type { EngineChoice, StagingOptions } from '../binding.js';
import { integer, invalid, matching } from './validate.js';

const MiB = 1024 * 1024;
const blockBytesMax = 64 * MiB;
const queueDepthMax = 256;
const threadsMax = 64;
export const cudaDeviceMax = 1023;
export const cudaDeviceExpected = 'the number of a GPU, from 0 on,';

interface StagingDefaults {
  readonly stagingBytes: number;
  /** The smallest block, in bytes. */
  readonly blockBytesMin: number;
}

function isBlockSize(value: unknown, min: number): boolean {
  if (typeof value !== 'number' || !Number.isInteger(value)) return false;
  return value >= min && value <= blockBytesMax && (value & (value - 1)) === 0;
}

/** What writers and readers have in common: memory, and how the device is driven. */
export interface StagingFields {
  stagingBytes: z.ZodDefault<z.ZodNumber>;
  blockBytes: z.ZodDefault<z.ZodCustom<number, number>>;
  queueDepth: z.ZodDefault<z.ZodNumber>;
  threads: z.ZodDefault<z.ZodNumber>;
  engine: z.ZodDefault<z.ZodType<EngineChoice>>;
  direct: z.ZodDefault<z.ZodBoolean>;
  cudaDevice: z.ZodOptional<z.ZodNumber>;
}

/** The fields of a schema, each with its default. */
export function stagingFields({ stagingBytes, blockBytesMin }: StagingDefaults): StagingFields {
  const isBlock = (value: unknown): boolean => isBlockSize(value, blockBytesMin);
  const blockExpected = `a power of two from ${blockBytesMin / MiB} MiB to 64 MiB`;
  return {
    stagingBytes: integer(1, Number.MAX_SAFE_INTEGER, 'a positive integer').default(stagingBytes),
    blockBytes: matching<number>(isBlock, blockExpected).default(4 * MiB),
    queueDepth: integer(1, queueDepthMax, `an integer from 1 to ${queueDepthMax}`).default(16),
    threads: integer(1, threadsMax, `an integer from 1 to ${threadsMax}`).default(2),
    engine: z.enum(['auto', 'io_uring', 'pwrite'], "'auto', 'io_uring' or 'pwrite'").default('auto'),
    direct: z.boolean('a boolean').default(true),
    cudaDevice: integer(0, cudaDeviceMax, cudaDeviceExpected).optional(),
  };
}

/**
 * The memory as whole blocks.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` for less than two blocks
 */
export function wholeBlocks({ stagingBytes, blockBytes }: Pick<StagingOptions, 'stagingBytes' | 'blockBytes'>): number {
  if (stagingBytes >= 2 * blockBytes) return stagingBytes - (stagingBytes % blockBytes);
  throw invalid(`Expected at least two blocks (${2 * blockBytes}) for \`stagingBytes\` but received ${stagingBytes}.`);
}
