import type { TimeSlices } from './time_slices.js';

/** What is parsed in one go: about a tenth of a millisecond. */
const pieceBytes = 64 * 1024;

const encoder = new TextEncoder();
const listBegins = encoder.encode('"tensors":[');
const listEnds = encoder.encode('],"step":');
const entryBegins = encoder.encode('},{"name":');

function matches(bytes: Uint8Array, text: Uint8Array, position: number): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (bytes[position + index] !== text[index]) return false;
  }
  return true;
}

/** Position of the first `text` at or after `from`; -1 if there is none. */
function find(bytes: Uint8Array, text: Uint8Array, from: number): number {
  for (let position = from; position <= bytes.length - text.length; position += 1) {
    if (matches(bytes, text, position)) return position;
  }
  return -1;
}

/** Position of the last `text`; -1 if there is none. */
function findLast(bytes: Uint8Array, text: Uint8Array): number {
  let position = bytes.length - text.length;
  while (position >= 0 && !matches(bytes, text, position)) position -= 1;
  return position;
}

/** @throws {TypeError} where the bytes are not UTF-8 */
function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * All but the list of tensors, in whose place it puts a number that nobody could foresee; `undefined` where that does
 * not turn out to be the list.
 */
function parseFrame(bytes: Uint8Array, begin: number, end: number): Record<string, unknown> | undefined {
  const marker = Math.random();
  const frame: unknown = JSON.parse(decode(bytes.subarray(0, begin)) + `${marker}` + decode(bytes.subarray(end)));
  return isObject(frame) && Array.isArray(frame.tensors) && frame.tensors[0] === marker ? frame : undefined;
}

/**
 * Parses the list between two positions piece by piece. It is cut where one entry ends and the next begins: a string
 * cannot hold those bytes, since it escapes its quotes; and a piece that was cut within an entry is no JSON.
 */
async function parseList(bytes: Uint8Array, begin: number, end: number, slices: TimeSlices): Promise<unknown[]> {
  const entries: unknown[] = [];
  for (let position = begin; position < end; ) {
    const cut = find(bytes, entryBegins, position + pieceBytes);
    const pieceEnd = cut < 0 || cut >= end ? end : cut + 1;
    for (const entry of JSON.parse(`[${decode(bytes.subarray(position, pieceEnd))}]`) as unknown[]) entries.push(entry);
    position = pieceEnd + 1;
    if (slices.spent) await slices.pause();
  }
  return entries;
}

async function parseInPieces(bytes: Uint8Array, slices: TimeSlices): Promise<Record<string, unknown> | undefined> {
  const begin = find(bytes, listBegins, 0) + listBegins.length;
  const end = findLast(bytes, listEnds);
  if (begin < listBegins.length || end < begin) return undefined;
  const frame = parseFrame(bytes, begin, end);
  if (frame !== undefined) frame.tensors = await parseList(bytes, begin, end, slices);
  return frame;
}

/**
 * Parses a rank manifest: in pieces, giving way to the event loop, if it looks as we write it, and else in one go.
 * @throws {TypeError} where it is not UTF-8
 * @throws {SyntaxError} where it is not JSON
 */
export async function parseRankManifestJson(bytes: Uint8Array, slices: TimeSlices): Promise<unknown> {
  const parsed = await parseInPieces(bytes, slices).catch(() => undefined);
  return parsed ?? (JSON.parse(decode(bytes)) as unknown);
}
