import { readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { indexName } from '../layout/names.js';
import type { Checkpoint } from '../restore/checkpoint.js';
import { count } from './text.js';

const namedMax = 8;

/**
 * What of a folder that others wrote is not exported; `undefined` where that is nothing. Hidden names are passed over,
 * and those beside a lone file.
 */
export async function leftText({ path, format, files, tensors }: Checkpoint): Promise<string | undefined> {
  if (format !== 'huggingface' && format !== 'dcp') return undefined;
  const folder = (await stat(path)).isDirectory() ? path : dirname(path);
  const shards = new Set([...tensors.values()].flatMap(({ slices }) => slices.map(({ file }) => file)));
  const isLeft = (name: string): boolean =>
    !name.startsWith('.') && !name.endsWith(indexName('')) && !files.has(name) && !shards.has(name);
  const left = (await readdir(folder)).filter(isLeft).sort();
  if (left.length === 0) return undefined;
  const more = left.length > namedMax ? ` and ${count(left.length - namedMax, 'other')}` : '';
  return `not exported, for they are no small files of the folder itself: ${left.slice(0, namedMax).join(', ')}${more}`;
}
