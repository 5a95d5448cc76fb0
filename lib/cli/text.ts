const unitsOfBytes = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `416.03 MiB`; units are padded to one width, so that right-aligned sizes stand below each other. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B  `;
  const unit = Math.min(unitsOfBytes.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** unit).toFixed(2)} ${unitsOfBytes[unit]!}`;
}

/** As {@link sizeText}, within a sentence. */
export function sizeIn(bytes: number): string {
  return sizeText(bytes).trimEnd();
}

/** `1 tensor`, `2 tensors` */
export function count(number: number, singular: string, plural = `${singular}s`): string {
  return `${number} ${number === 1 ? singular : plural}`;
}

/** `2026-11-21 04:34:09`, UTC. */
export function timeText(time: Date | undefined): string {
  if (time === undefined || Number.isNaN(time.getTime())) return '';
  return time.toISOString().slice(0, 19).replace('T', ' ');
}

/** `[4096, 14336]` */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text from a file, which must not steer the terminal: control characters are written as `\u001b`. */
export function printable(text: string): string {
  return text.replace(controlCharacters, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const collator = new Intl.Collator('en', { numeric: true });

/** `layers.9` before `layers.10` */
export function compareNames(left: string, right: string): number {
  return collator.compare(left, right);
}

/** Pieces of at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += width) pieces.push(text.slice(at, at + width));
  return pieces;
}

/** Lines of at most `width` characters, of a sentence: between words, as far as these are short enough. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const end = space > 0 ? space : width;
    lines.push(rest.slice(0, end));
    rest = rest.slice(space > 0 ? end + 1 : end);
  }
  return [...lines, rest];
}
