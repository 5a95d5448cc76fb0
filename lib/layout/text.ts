const surrogateFirst = 0xd800;
const surrogateLast = 0xdfff;

/** Bytes of a well-formed string in UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    // Each half of a pair makes two of its four bytes.
    bytes += unit < 0x800 || (unit >= surrogateFirst && unit <= surrogateLast) ? 1 : 2;
  }
  return bytes;
}

/** A list of integers as JSON. */
export function dimensionsText(dimensions: readonly number[]): string {
  return `[${dimensions.join(',')}]`;
}
