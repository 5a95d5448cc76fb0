import { SnapshardError, type SnapshardErrorCode } from '../errors.js';
import type { Manifest } from '../layout/manifest_reader.js';
import { manifestName, parseStepDirectory, type StepDirectory } from '../layout/names.js';
import { TimeSlices } from '../layout/time_slices.js';
import { readManifest } from './manifest_file.js';
import { hasErrno } from './native_error.js';
import type { Store } from './store.js';

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

/** A manifest is missing, or all of the directory is; or the server took back the handle of one that is there. */
async function lookAgain(store: Store, name: string): Promise<Look | 'there'> {
  try {
    const names = await store.list(name);
    return names.includes(manifestName) ? 'there' : { kind: 'damaged', reason: `It has no ${manifestName}.` };
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESTALE')) return { kind: 'gone' };
    return { kind: 'damaged', reason: reasonOf(error) };
  }
}

/** Reads the manifest of a step's directory. */
export async function lookAt(store: Store, step: StepName, slices = new TimeSlices()): Promise<Look> {
  try {
    return await readAndCompare(store, step, slices);
  } catch (error) {
    return await lookAfter(store, step, slices, error);
  }
}

async function readAndCompare(store: Store, { name, step }: StepName, slices: TimeSlices): Promise<Look> {
  const manifest = await readManifest(store, name, slices);
  if (manifest.step === step) return { kind: 'intact', manifest };
  return { kind: 'damaged', reason: `Its manifest is that of step ${manifest.step}.` };
}

/** What a manifest that could not be read tells of its checkpoint. */
async function lookAfter(store: Store, step: StepName, slices: TimeSlices, error: unknown): Promise<Look> {
  if (!hasErrno(error, 'ENOENT', 'ESTALE')) return { kind: 'damaged', reason: reasonOf(error) };
  const look = await lookAgain(store, step.name);
  if (look !== 'there') return look;
  try {
    return await readAndCompare(store, step, slices);
  } catch (again) {
    return hasErrno(again, 'ENOENT') ? { kind: 'gone' } : { kind: 'damaged', reason: reasonOf(again) };
  }
}
