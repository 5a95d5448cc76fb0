const encoder = new TextEncoder();
const firstCapacityBytes = 512;
/** UTF-8 takes at most three bytes for a UTF-16 code unit. */
const unitBytesMax = 3;
const integerBytesMax = 16;

const quoteCode = 0x22;
const backslashCode = 0x5c;
const spaceCode = 0x20;
const lastAsciiCode = 0x7e;
const zeroCode = 0x30;
const commaCode = 0x2c;
const openCode = 0x5b;
const closeCode = 0x5d;

/**
 * JSON written straight into bytes. A header of 100,000 tensors is ten million characters: as strings, joined and
 * encoded, they take several times as long, and leave as much garbage.
 */
export class JsonBytes {
  #bytes = new Uint8Array(firstCapacityBytes);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Takes back all that was written after the first `length` bytes. */
  rewind(length: number): void {
    this.#length = length;
  }

  /** What is written so far; valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Text that is JSON already. */
  raw(text: string): this {
    this.#reserve(text.length * unitBytesMax);
    if (!this.#ascii(text, this.#length, 0)) this.#encode(text);
    return this;
  }

  /** A string, quoted, and escaped where it must be. */
  string(text: string): this {
    this.#reserve(text.length + 2);
    if (this.#ascii(text, this.#length + 1, spaceCode)) {
      this.#bytes[this.#length - text.length - 1] = quoteCode;
      this.#bytes[this.#length] = quoteCode;
      this.#length += 1;
      return this;
    }
    const quoted = JSON.stringify(text);
    this.#reserve(quoted.length * unitBytesMax);
    this.#encode(quoted);
    return this;
  }

  /** A safe integer, not negative. */
  integer(value: number): this {
    this.#reserve(integerBytesMax);
    this.#digits(value);
    return this;
  }

  integers(values: readonly number[]): this {
    this.#reserve(values.length * (integerBytesMax + 1) + 2);
    const bytes = this.#bytes;
    bytes[this.#length] = openCode;
    this.#length += 1;
    for (let index = 0; index < values.length; index += 1) {
      if (index > 0) {
        bytes[this.#length] = commaCode;
        this.#length += 1;
      }
      this.#digits(values[index] ?? 0);
    }
    bytes[this.#length] = closeCode;
    this.#length += 1;
    return this;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.view());
    this.#bytes = grown;
  }

  /** Writes text at `start` if it is ASCII; with `plainFrom` a space, only if it needs no escape besides. */
  #ascii(text: string, start: number, plainFrom: number): boolean {
    const bytes = this.#bytes;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > lastAsciiCode || code < plainFrom) return false;
      if (plainFrom > 0 && (code === quoteCode || code === backslashCode)) return false;
      bytes[start + index] = code;
    }
    this.#length = start + text.length;
    return true;
  }

  #encode(text: string): void {
    this.#length += encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  #digits(value: number): void {
    let count = 1;
    for (let power = 10; power <= value && count < integerBytesMax; power *= 10) count += 1;
    let rest = value;
    for (let position = this.#length + count - 1; position >= this.#length; position -= 1) {
      const quotient = Math.floor(rest / 10);
      this.#bytes[position] = zeroCode + (rest - quotient * 10);
      rest = quotient;
    }
    this.#length += count;
  }
}
