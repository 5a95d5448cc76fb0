import { SnapshardError } from '../errors.js';

const sealPattern = /,"digest":"([0-9a-f]{32})"}\n$/;
const sealBytes = 46;

function corrupt(what: string): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_CORRUPT', `${what}.`);
}

/**
 * Manifests end in the digest of all that comes before it.
 * @param digest XXH3-128 of bytes as 32 hexadecimal digits
 * @returns that digest
 * @throws {SnapshardError} `ERR_SNAPSHARD_CORRUPT` where it is missing or does not match; it does not name the file
 */
export function checkSeal(bytes: Uint8Array, digest: (bytes: Uint8Array) => string): string {
  const [, digits] = sealPattern.exec(new TextDecoder('latin1').decode(bytes.subarray(-sealBytes))) ?? [];
  if (digits === undefined) throw corrupt('it does not end in its digest: it is cut off, or something else');
  if (digest(bytes.subarray(0, -sealBytes)) === digits) return digits;
  throw corrupt('it does not match the digest in which it ends');
}
