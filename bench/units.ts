export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

const factors: Record<string, number> = { '': 1, KIB: KiB, MIB: MiB, GIB: GiB };

/** `4GiB`, `512MiB`, `64KiB` or plain bytes. Throws when the text is none of these. */
export function parseBytes(text: string): number {
  const match = /^(\d+)\s*([KMG]iB)?$/i.exec(text);
  const factor = factors[(match?.[2] ?? '').toUpperCase()];
  const bytes = match && factor ? Number(match[1]) * factor : 0;
  if (!Number.isSafeInteger(bytes) || bytes <= 0) {
    throw new RangeError(`Expected a size such as 4GiB, 512MiB or 1048576 but received ${text}`);
  }
  return bytes;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count <= 0) {
    throw new RangeError(`Expected a positive integer but received ${text}`);
  }
  return count;
}

export function formatBytes(bytes: number): string {
  for (const [name, factor] of [
    ['GiB', GiB],
    ['MiB', MiB],
    ['KiB', KiB],
  ] as const) {
    if (bytes >= factor) return `${Number((bytes / factor).toFixed(2))} ${name}`;
  }
  return `${bytes} B`;
}
