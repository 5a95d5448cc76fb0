import { SnapshardError, type SnapshardErrorCode } from '../errors.js';
import type { Manifest } from '../layout/manifest_reader.js';
import { manifestName, parseStepDirectory, type StepDirectory } from '../layout/names.js';
import { TimeSlices } from '../layout/time_slices.js';
import { hasErrno } from '../store/native_error.js';
import type { Store } from '../store/store.js';
import { readManifest } from './manifest_files.js';

/** A directory of a root that bears the name of a step. */
export interface StepName extends StepDirectory {
  readonly name: string;
}

/** What a directory that was there has turned out to be. */
export type Look =
  | { readonly kind: 'intact'; readonly manifest: Manifest }
  | { readonly kind: 'damaged'; readonly reason: string }
  /** Removed or replaced meanwhile: to be looked for anew. */
  | { readonly kind: 'gone' };

/** They tell of this process, and nothing of a checkpoint. */
const ownFaults: ReadonlySet<SnapshardErrorCode> = new Set<SnapshardErrorCode>([
  'ERR_SNAPSHARD_TOO_MANY_FILES',
  'ERR_SNAPSHARD_NO_MEMORY',
  'ERR_SNAPSHARD_CLOSED',
  'ERR_SNAPSHARD_INVALID_ARGUMENT',
]);

/** The mount is gone, or does not answer: that tells of no checkpoint, either. */
const mountFaults = ['ENOTCONN', 'ECONNABORTED', 'ECONNRESET', 'ESHUTDOWN', 'ENODEV', 'ESTALE', 'ETIMEDOUT', 'EHOSTDOWN'];

function tellsOfThis(error: SnapshardError): boolean {
  return !ownFaults.has(error.code) && !hasErrno(error, ...mountFaults);
}

/** The directories of steps, newest first: by step, then by generation. */
export function stepNames(names: readonly string[]): StepName[] {
  return names
    .flatMap((name) => {
      const parsed = parseStepDirectory(name);
      return parsed === undefined ? [] : [{ name, ...parsed }];
    })
    .sort((left, right) => right.step - left.step || right.generation - left.generation);
}

/** Why a checkpoint cannot be used; throws what tells nothing of it, such as an abort, or a mount that is gone. */
export function reasonOf(error: unknown): string {
  if (error instanceof SnapshardError && tellsOfThis(error)) return error.message;
  throw error;
}

/** A manifest is missing, or all of the directory is. */
async function lookAgain(store: Store, name: string): Promise<Look> {
  try {
    await store.list(name);
    return { kind: 'damaged', reason: `It has no ${manifestName}.` };
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESTALE')) return { kind: 'gone' };
    return { kind: 'damaged', reason: reasonOf(error) };
  }
}

/** Reads the manifest of a step's directory. */
export async function lookAt(store: Store, { name, step }: StepName, slices = new TimeSlices()): Promise<Look> {
  try {
    const manifest = await readManifest(store, name, slices);
    if (manifest.step === step) return { kind: 'intact', manifest };
    return { kind: 'damaged', reason: `Its manifest is that of step ${manifest.step}.` };
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESTALE')) return lookAgain(store, name);
    return { kind: 'damaged', reason: reasonOf(error) };
  }
}
