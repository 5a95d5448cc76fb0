/**
 * Version of the format: readers ignore fields that they do not know, and refuse another major version.
 * See docs/format.md.
 */
export const formatVersion = '1.0';
export const manifestFormat = 'snapshard';
export const rankManifestFormat = 'snapshard.rank';

/** Bytes of one XXH3-128 digest, and its hexadecimal digits. */
export const digestBytes = 16;
export const digestDigits = 32;
