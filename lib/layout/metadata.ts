import { SnapshardError } from '../errors.js';
import { describe } from '../tensor/describe.js';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** The user's own facts about a checkpoint, kept in its manifest. */
export type Metadata = Readonly<Record<string, JsonValue>>;

/** More than a manifest should hold: what is larger belongs in a side file. */
const textLimitCharacters = 16 * 1024 * 1024;
/** Some readers of JSON give up soon after. */
const depthLimit = 100;

const identifierPattern = /^[A-Za-z_$][\w$]*$/;

type Key = string | number;

function pathOf(keys: readonly Key[]): string {
  const steps = keys.map((key) => {
    if (typeof key === 'number') return `[${key}]`;
    return identifierPattern.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  });
  return `metadata${steps.join('')}`;
}

function invalidMetadata(message: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_INVALID_METADATA', message);
}

/** Writes JSON as it walks, so that what was checked is what is kept: each value is read once. */
class JsonWriter {
  readonly #keys: Key[] = [];
  readonly #ancestors = new Set<object>();

  text(value: unknown): string {
    if (typeof value === 'string') return this.#string(value);
    if (typeof value === 'number') return this.#number(value);
    if (typeof value === 'boolean' || value === null) return String(value);
    if (typeof value === 'object') return this.#container(value);
    throw this.#fault(`is ${typeof value === 'symbol' ? 'a symbol' : describe(value)}, which JSON cannot hold`);
  }

  #fault(what: string): SnapshardError {
    return invalidMetadata(`${pathOf(this.#keys)} ${what}.`);
  }

  #string(value: string): string {
    if (value.isWellFormed()) return JSON.stringify(value);
    throw this.#fault('has a lone surrogate, which UTF-8 cannot hold');
  }

  #number(value: number): string {
    if (!Number.isFinite(value)) throw this.#fault(`is ${value}, which JSON cannot hold`);
    return Object.is(value, -0) ? '-0' : String(value);
  }

  #container(value: object): string {
    if (this.#ancestors.has(value)) throw this.#fault('is an object that contains itself, which JSON cannot hold');
    if (this.#ancestors.size === depthLimit) throw this.#fault(`lies more than ${depthLimit} levels deep`);
    this.#ancestors.add(value);
    const text = Array.isArray(value) ? this.#list(value) : this.#record(value);
    this.#ancestors.delete(value);
    return text;
  }

  #list(list: readonly unknown[]): string {
    const strayKey = Object.keys(list).find((key, index) => key !== String(index));
    if (strayKey !== undefined && !/^\d+$/.test(strayKey)) {
      throw this.#fault(`is a list with the property ${describe(strayKey)}, which JSON cannot hold`);
    }
    // Array.from visits the holes of a sparse list too, as `undefined`.
    return `[${Array.from(list, (item, index) => this.#member(index, item)).join(',')}]`;
  }

  #record(value: object): string {
    const prototype: unknown = Object.getPrototypeOf(value);
    const plain = prototype === null || Object.getPrototypeOf(prototype) === null;
    if (!plain) throw this.#fault(`is ${describe(value)}; only plain objects and lists are kept as they are`);
    if (Object.getOwnPropertySymbols(value).length > 0)
      throw this.#fault('has a symbol as key, which JSON cannot hold');
    const members = Object.keys(value).map((key) => {
      if (!key.isWellFormed()) throw this.#fault('has a key with a lone surrogate, which UTF-8 cannot hold');
      return `${JSON.stringify(key)}:${this.#member(key, (value as Record<string, unknown>)[key])}`;
    });
    return `{${members.join(',')}}`;
  }

  #member(key: Key, value: unknown): string {
    this.#keys.push(key);
    const text = this.text(value);
    this.#keys.pop();
    return text;
  }
}

/**
 * The JSON text of the metadata as it is now; `{}` for `undefined`.
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_METADATA` with the path of the value that JSON cannot hold
 */
export function metadataText(metadata: unknown): string {
  if (metadata === undefined) return '{}';
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw invalidMetadata(`Expected an object for \`metadata\` but received ${describe(metadata)}.`);
  }
  const text = new JsonWriter().text(metadata);
  if (text.length <= textLimitCharacters) return text;
  throw invalidMetadata(
    `\`metadata\` takes ${text.length} characters of JSON, and ${textLimitCharacters} are the most. Use \`files\`.`,
  );
}
