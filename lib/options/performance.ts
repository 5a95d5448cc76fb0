import { z } from 'zod';
import type { EngineChoice } from '../binding.js';
import { stagingFields } from './staging_options.js';
import { matching } from './validate.js';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

/** The options of a writer that change how fast it is and what that costs, and nothing else: what may lie in a file. */
export interface PerformanceOptions {
  readonly stagingBytes: number;
  readonly blockBytes: number;
  readonly queueDepth: number;
  readonly threads: number;
  readonly engine: EngineChoice;
  readonly direct: boolean;
  readonly shardBytes: number;
}

const staging = stagingFields({ stagingBytes: GiB, blockBytesMin: MiB });

/** Each of them checked, none with a default. */
export const performanceFields = {
  stagingBytes: staging.stagingBytes.unwrap().optional(),
  blockBytes: staging.blockBytes.unwrap().optional(),
  queueDepth: staging.queueDepth.unwrap().optional(),
  threads: staging.threads.unwrap().optional(),
  engine: staging.engine.unwrap().optional(),
  direct: staging.direct.unwrap().optional(),
  shardBytes: matching<number>(isShardSize, 'a positive integer or Infinity').optional(),
};

/** What a writer does where nothing is said. */
export const performanceDefaults: PerformanceOptions = { ...z.object(staging).parse({}), shardBytes: Infinity };

type Given = { readonly [Name in keyof PerformanceOptions]?: PerformanceOptions[Name] | undefined };

/** Of any options, those that are performance options and are given. */
export function performanceOf(options: Given): Partial<PerformanceOptions> {
  const names = Object.keys(performanceFields) as (keyof PerformanceOptions)[];
  const given = names.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}

function isShardSize(value: unknown): boolean {
  return value === Infinity || (Number.isSafeInteger(value) && (value as number) > 0);
}
