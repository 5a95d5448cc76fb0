import { sizeIn } from '../../cli/text.js';
import type { Spread } from '../statistics.js';

export const GiB = 2 ** 30;

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;

/** Three digits that count: `0.043`, `2.31`, `12.3`, `123`. */
export function digits(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return size >= 0.0995 ? value.toFixed(2) : value.toFixed(3);
}

/** As {@link digits}, without zeros at the end. */
const brief = (value: number): string => String(Number(digits(value)));

/** `350 µs`, `12 ms`, `1.25 s`, `12 min`, `3.5 h`, `12 d` */
export function timeIn(seconds: number): string {
  if (seconds === 0) return '0 s';
  if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 0.0095) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${(seconds * 1e3).toFixed(0)} ms`;
  if (seconds < minute) return `${brief(seconds)} s`;
  if (seconds < hour) return `${brief(seconds / minute)} min`;
  return seconds < 2 * day ? `${brief(seconds / hour)} h` : `${brief(seconds / day)} d`;
}

/** `1.3 %`; shares that matter are small. */
export function shareIn(share: number): string {
  const percent = share * 100;
  return `${percent >= 9.95 || percent === 0 ? percent.toFixed(0) : percent.toFixed(percent < 0.095 ? 3 : 2)} %`;
}

/** `1.2 GiB`, `120 MiB`: where a few characters must do. */
export function shortSize(bytes: number): string {
  const [number = '', unit = ''] = sizeIn(Math.max(0, bytes)).split(' ');
  return unit === 'B' ? `${number} B` : `${brief(Number(number))} ${unit}`;
}

/** `2.10..2.45`; a unit that both ends have is said once: `67.1..68.9 MiB` */
export function rangeText({ min, max }: Spread, text: (value: number) => string = digits): string {
  const [from, to] = [text(min), text(max)];
  const unit = / \S+$/.exec(to)?.[0];
  return `${unit !== undefined && from.endsWith(unit) ? from.slice(0, -unit.length) : from}..${to}`;
}

/** The median, or nothing. */
export function medianText(value: Spread | undefined, text: (value: number) => string = digits): string {
  return value === undefined ? '' : text(value.median);
}
