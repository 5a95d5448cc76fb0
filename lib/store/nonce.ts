import { randomBytes } from 'node:crypto';

const nonceBytes = 8;

/** Lower-case hexadecimal digits that no other save, process or machine comes up with. */
export function newNonce(): string {
  return randomBytes(nonceBytes).toString('hex');
}
