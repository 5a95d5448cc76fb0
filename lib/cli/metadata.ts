import type { JsonValue, Metadata } from '../layout/metadata.js';
import { printable } from './text.js';

const valueLimit = 200;

/** `epoch: 3`, one line for each key; objects are told key by key, as `optimizer.lr: 0.1`. */
export function metadataLines(metadata: Metadata): string[] {
  return [...flatten(metadata)].map(([key, text]) => `${printable(key)}: ${shortened(text)}`);
}

/** What one key has in two checkpoints, as text; `undefined` where it has nothing. */
export interface MetadataChange {
  readonly key: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Keys of nested objects are joined by dots; those that a reader could take for several are in quotes. */
export function compareMetadata(before: Metadata, after: Metadata): MetadataChange[] {
  const left = flatten(before);
  const right = flatten(after);
  return [...new Set([...left.keys(), ...right.keys()])]
    .map((key) => ({ key, before: left.get(key), after: right.get(key) }))
    .filter((change) => change.before !== change.after);
}

/** JSON text that is not too long for a line. */
export function shortened(text: string): string {
  return printable(text.length > valueLimit ? `${text.slice(0, valueLimit)}…` : text);
}

/** No two paths of keys are joined to the same text. */
function keyText(key: string): string {
  return key === '' || /[."]/.test(key) ? JSON.stringify(key) : key;
}

/** JSON text that tells -0 from 0, as `JSON.stringify` does not. */
function valueText(value: JsonValue): string {
  if (Object.is(value, -0)) return '-0';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(valueText).join(',')}]`;
  return `{${Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}:${valueText(inner)}`).join(',')}}`;
}

function flatten(metadata: Metadata): Map<string, string> {
  const values = new Map<string, string>();
  const walk = (path: string, value: JsonValue): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0) {
      values.set(path, valueText(value));
      return;
    }
    for (const [key, inner] of Object.entries(value)) walk(`${path}.${keyText(key)}`, inner);
  };
  for (const [key, value] of Object.entries(metadata)) walk(keyText(key), value);
  return values;
}
