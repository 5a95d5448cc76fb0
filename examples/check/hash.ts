import xxhash from 'xxhash-addon';

/** XXH3-128 with seed 0, canonical (big-endian): 16 bytes. */
export function digestOf(bytes: Buffer): Buffer {
  // The add-on takes the process down when it is given anything but a buffer.
  if (!Buffer.isBuffer(bytes)) throw new TypeError('Expected a Buffer to digest.');
  return xxhash.XXHash128.hash(bytes);
}

/** The same, as the 32 hexadecimal digits that stand in manifests. */
export function hexDigestOf(bytes: Buffer): string {
  return digestOf(bytes).toString('hex');
}
