import { SnapshardError } from '../errors.js';
import { invalidArgument, iterate, quote } from './describe.js';
import { type TensorSpec, isWhole } from './tensor.js';

/** Checks one entry and says what it is. */
type Visit = (name: unknown, tensor: unknown) => TensorSpec;

/** Looks at one entry. */
type VisitEntry = (name: unknown, value: unknown) => void;

function isIterable(value: object): value is Iterable<unknown> {
  return typeof (value as { [Symbol.iterator]?: unknown })[Symbol.iterator] === 'function';
}

/** A record is a plain object: a promise or a date has no entries, and must not pass for an empty checkpoint. */
export function isRecord(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || (typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null);
}

/** What is being gone through: the argument, and what its entries hold, for messages. */
interface EntryNames {
  readonly argument: string;
  readonly value: string;
}

function visitIterable(entries: Iterable<unknown>, { argument, value }: EntryNames, visit: VisitEntry): void {
  for (const entry of iterate(entries, `\`${argument}\``, `an iterable of [name, ${value}]`)) {
    if (!Array.isArray(entry) || entry.length !== 2) {
      throw invalidArgument(`each entry of \`${argument}\``, `[name, ${value}]`, entry);
    }
    visit(entry[0], entry[1]);
  }
}

/**
 * Calls `visit` for each entry of a record, a `Map`, or an iterable of `[name, value]`, in its order.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` for anything else
 */
export function visitEntries(entries: unknown, names: EntryNames, visit: VisitEntry): void {
  const { argument, value } = names;
  const expected = `a record, a Map or an iterable of [name, ${value}]`;
  if (typeof entries !== 'object' || entries === null || ArrayBuffer.isView(entries)) {
    throw invalidArgument(`\`${argument}\``, expected, entries);
  }
  if (entries instanceof Map) {
    for (const [name, item] of entries) visit(name, item);
  } else if (isIterable(entries)) {
    visitIterable(entries, names, visit);
  } else if (isRecord(entries)) {
    // Faster by half than Object.entries, which is slow for objects of many properties.
    for (const name of Object.keys(entries)) visit(name, entries[name]);
  } else {
    throw invalidArgument(`\`${argument}\``, expected, entries);
  }
}

/** A name may come again only for another slice of the same tensor. */
function withoutRepeats(visit: Visit): VisitEntry {
  const seen = new Map<string, boolean>();
  return (name, tensor) => {
    const spec = visit(name, tensor);
    const whole = isWhole(spec);
    const wholeBefore = seen.get(spec.name);
    if (wholeBefore !== undefined && (whole || wholeBefore)) {
      throw new SnapshardError(
        'ERR_SNAPSHARD_DUPLICATE_NAME',
        `Tensor ${quote(spec.name)} is there twice. Only slices of one tensor, each with its own origin, share a name.`,
      );
    }
    seen.set(spec.name, whole);
  };
}

/**
 * Calls `visit` for each tensor of a record, a `Map`, or an iterable of `[name, tensor]`, in its order.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` for anything else; `ERR_SNAPSHARD_DUPLICATE_NAME`
 */
export function visitTensors(tensors: unknown, visit: Visit): void {
  const mayRepeat = typeof tensors === 'object' && tensors !== null && isIterable(tensors) && !(tensors instanceof Map);
  visitEntries(tensors, { argument: 'tensors', value: 'tensor' }, mayRepeat ? withoutRepeats(visit) : visit);
}
