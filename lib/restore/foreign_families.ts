import { SnapshardError } from '../errors.js';

/** `model-00002-of-00003.safetensors`; digits are as many as the writer liked. */
const memberPattern = /^(.*)-(\d{1,15})-of-(\d{1,15})\.safetensors$/s;
/** PyTorch DCP: of the files of a family, each process writes those that it has tensors for. */
const processPrefix = /^shard-\d+-/;
const namedMax = 3;

/** Files that were written together, and of which each says how many there are. */
interface Family {
  /** Of one of them. */
  readonly prefix: string;
  readonly digits: number;
  readonly countText: string;
  readonly numbers: Set<number>;
}

function familiesOf(names: readonly string[]): Iterable<Family> {
  const families = new Map<string, Family>();
  for (const name of names) {
    const [, prefix, number, countText] = memberPattern.exec(name) ?? [];
    if (prefix === undefined || number === undefined || countText === undefined) continue;
    const key = `${prefix.replace(processPrefix, '')}-of-${countText}`;
    const family = families.get(key) ?? { prefix, digits: number.length, countText, numbers: new Set() };
    family.numbers.add(Number(number));
    families.set(key, family);
  }
  return families.values();
}

/** The first names that a family lacks, one more than are shown; whether it counts from 1 or from 0. */
function missingOf({ prefix, digits, countText, numbers }: Family): string[] {
  const first = numbers.has(0) ? 0 : 1;
  const missing: string[] = [];
  for (let number = first; number < first + Number(countText) && missing.length <= namedMax; number += 1) {
    if (numbers.has(number)) continue;
    missing.push(`${prefix}-${String(number).padStart(digits, '0')}-of-${countText}.safetensors`);
  }
  return missing;
}

/**
 * Where names tell how many files were written together, all must be there: no index tells what the others hold.
 * @param names of the safetensors files of a folder
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT`, which names files that are missing
 */
export function requireFamilies(folder: string, names: readonly string[]): void {
  const missing = [...familiesOf(names)].flatMap(missingOf);
  if (missing.length === 0) return;
  const shown = `${missing.slice(0, namedMax).join(', ')}${missing.length > namedMax ? ', …' : ''}`;
  const message =
    `Cannot open ${folder}: it is incomplete. By the names of its files, it lacks ${shown}. ` +
    'Copy what is missing, or open single files by their own paths.';
  throw new SnapshardError('ERR_SNAPSHARD_CORRUPT', message, { path: folder });
}
