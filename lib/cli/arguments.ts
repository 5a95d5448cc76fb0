/** What options and arguments of the command line may be. */
import { InvalidArgumentError, Option } from 'commander';
import { parseSize } from './size.js';

export function repeatable(flags: string, description: string): Option {
  return new Option(flags, `${description}; repeatable`)
    .argParser((value, before: readonly string[]) => [...before, value])
    .default([], 'all');
}

export function positiveInteger(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value > 0 && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('Expected a positive integer.');
}

export function wholeNumber(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('Expected a whole number, 0 or more.');
}

export function stepArgument(text: string, before: readonly number[] | undefined): readonly number[] {
  const step = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(step)) return [...(before ?? []), step];
  throw new InvalidArgumentError('Expected a step, such as 1000.');
}

export function sizeOption(text: string): number {
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw new InvalidArgumentError('Expected a size, such as 5GB, 512MiB or 1000000.');
}

/** `0.25` or `25%` */
export function shareOption(text: string): number {
  const [, digits = '', percent] = /^(\d*\.?\d+)\s*(%?)$/.exec(text.trim()) ?? [];
  const share = Number(digits) / (percent === '%' ? 100 : 1);
  if (digits !== '' && share > 0 && share <= 1) return share;
  throw new InvalidArgumentError('Expected a share above 0 and up to 1, such as 0.25 or 25%.');
}

const secondsOf: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, min: 60, m: 60, h: 3600, d: 86_400 };

/** Seconds of `90`, `1.5s`, `250ms`, `10min`, `6h` or `30d` */
export function durationOption(text: string): number {
  const [, digits = '', unit = ''] = /^(\d*\.?\d+)\s*([a-z]*)$/.exec(text.trim()) ?? [];
  const seconds = Number(digits) * (secondsOf[unit === '' ? 's' : unit] ?? Number.NaN);
  if (digits !== '' && Number.isFinite(seconds)) return seconds;
  throw new InvalidArgumentError('Expected a time, such as 90, 1.5s, 250ms, 10min, 6h or 30d.');
}

/** For what cannot be 0. */
export function positiveDuration(text: string): number {
  const seconds = durationOption(text);
  if (seconds > 0) return seconds;
  throw new InvalidArgumentError('Expected a time above 0, such as 250ms, 90s or 6h.');
}

export function examples(...calls: string[]): string {
  return `\nExamples:\n${calls.map((call) => `  snapshard ${call}`).join('\n')}`;
}
