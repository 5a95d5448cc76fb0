import { cudaOperations } from './cuda_operations.js';
import { lookOperations } from './look_operations.js';
import { oddOperations } from './odd_operations.js';
import type { Operation } from './program.js';
import { readOperations } from './read_operations.js';
import { writeOperations } from './write_operations.js';

export const operations: readonly (readonly [number, Operation])[] = [
  ...writeOperations,
  ...readOperations,
  ...oddOperations,
  ...lookOperations,
  ...cudaOperations,
];
