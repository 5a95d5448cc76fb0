import { SnapshardError } from '../errors.js';
import { manifestName, parseStepDirectory } from '../layout/names.js';
import type { Store } from '../store/store.js';

/** Whether a directory that was taken for a root is a checkpoint. */
export function isCheckpointItself(store: Store): Promise<boolean> {
  return store.readTail(manifestName, 1).then(
    () => true,
    () => false,
  );
}

/** What a directory is, other than a checkpoint, as far as its names tell. */
function otherwise(names: readonly string[]): string {
  const steps = names.filter((name) => parseStepDirectory(name) !== undefined).sort();
  const newest = steps.at(-1);
  if (newest !== undefined) {
    const count = steps.length === 1 ? 'a checkpoint' : `${steps.length} checkpoints`;
    return `It holds ${count}: open the newest with latestCheckpoint(), or one by its own path, such as ${newest}.`;
  }
  if (names.includes('.metadata') || names.some((name) => name.endsWith('.distcp'))) {
    return 'It is one of PyTorch in pickled form: save it with HuggingFaceStorageWriter, which writes safetensors.';
  }
  return names.length === 0 ? 'It is empty.' : `It holds ${names.length} other files.`;
}

/**
 * The error for a directory that is no checkpoint: what was looked for, and what it may be instead.
 * @param names what it holds
 */
export function nothingHere(path: string, names: readonly string[]): SnapshardError {
  const lookedFor = 'no manifest.json, no *.safetensors.index.json, no *.safetensors';
  const message = `There is no checkpoint in ${path}: ${lookedFor}. ${otherwise(names)}`;
  return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path });
}

/** The error for a directory that a save began and did not end, or that is being deleted. */
export function unpublished(path: string): SnapshardError {
  const message =
    `There is no checkpoint in ${path}: the save was never published, or it is being removed. ` +
    'latestCheckpoint() finds the newest that is whole.';
  return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path });
}

/** The error for a folder of several indexes, none of which is the usual one. */
export function severalIndexes(path: string, indexes: readonly string[]): SnapshardError {
  const message = `${path} has several indexes: open one by its own path: ${indexes.join(', ')}.`;
  return new SnapshardError('ERR_SNAPSHARD_NOT_FOUND', message, { path });
}
