import { randomBytes } from 'node:crypto';

const nonceBytes = 8;
/** Milliseconds since 1970 fit into these until the year 10889. */
const timeDigits = 12;

/**
 * Lower-case hexadecimal digits that no other save, process or machine comes up with. One made later, as far as clocks
 * agree, is greater.
 */
export function newNonce(): string {
  return Date.now().toString(16).padStart(timeDigits, '0') + randomBytes(nonceBytes).toString('hex');
}
