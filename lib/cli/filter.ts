import { SnapshardError } from '../errors.js';
import { quote } from '../tensor/describe.js';
import { compareNames } from './text.js';

/** Which tensors a command is about. */
export interface Selection {
  /** Globs (`*`, `?`), which match the whole name, or parts of a name; any one of them is enough. Empty: all. */
  readonly filter: readonly string[];
  /** Groups; any one of them is enough. Empty: all. */
  readonly group: readonly string[];
}

interface Selectable {
  readonly name: string;
  readonly group: string;
}

const specialCharacters = /[\\^$.|+()[\]{}]/g;

function nameTest(pattern: string): (name: string) => boolean {
  if (!/[*?]/.test(pattern)) return (name) => name.includes(pattern);
  const source = pattern.replace(specialCharacters, '\\$&').replace(/\*+/g, '.*').replace(/\?/g, '.');
  const expression = new RegExp(`^${source}$`, 'su');
  return (name) => expression.test(name);
}

/**
 * The tensors that a selection takes, by name.
 * @throws {SnapshardError} `ERR_SNAPSHARD_NOT_FOUND` where it names something and takes nothing
 */
export function select<T extends Selectable>(tensors: Iterable<T>, { filter, group }: Selection): T[] {
  const tests = filter.map(nameTest);
  const groups = new Set(group);
  const selected = [...tensors]
    .filter(
      (tensor) =>
        (groups.size === 0 || groups.has(tensor.group)) &&
        (tests.length === 0 || tests.some((test) => test(tensor.name))),
    )
    .sort((left, right) => compareNames(left.name, right.name));
  if (selected.length > 0 || (filter.length === 0 && group.length === 0)) return selected;
  const wanted = [...filter.map((text) => `--filter ${quote(text)}`), ...group.map((text) => `--group ${quote(text)}`)];
  throw new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', `No tensor of the checkpoint is selected by ${wanted.join(' ')}.`);
}
