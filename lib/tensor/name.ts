import { SnapshardError } from '../errors.js';
import { describe, invalidArgument, quote } from './describe.js';

const groupPattern = /^[a-z0-9][a-z0-9_-]{0,63}$/;

function invalidName(reason: string, name: unknown): SnapshardError {
  return new SnapshardError('ERR_SNAPSHARD_INVALID_NAME', `A tensor's name ${reason}, but received ${describe(name)}.`);
}

/**
 * @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_NAME` for what a safetensors header cannot name, and for NUL, where
 *   readers written in C would cut the name off
 */
export function validateTensorName(name: unknown): asserts name is string {
  if (typeof name !== 'string') throw invalidName('must be a string', name);
  if (name === '') throw invalidName('must not be empty', name);
  if (name === '__metadata__') throw invalidName('must not be the one that safetensors keeps for itself', name);
  if (!name.isWellFormed()) throw invalidName('must be well-formed Unicode, with no lone surrogates', name);
  if (name.includes('\0')) throw invalidName('must not contain NUL', name);
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` for what cannot begin a file's name */
export function validateGroup(name: string, group: unknown): asserts group is string {
  if (typeof group === 'string' && groupPattern.test(group)) return;
  const expected = 'up to 64 of a-z, 0-9, "_" and "-", beginning with a letter or digit,';
  throw invalidArgument(`\`group\` of tensor ${quote(name)}`, expected, group);
}
