import { lstat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { SnapshardError } from '../errors.js';
import type { Checkpoint } from '../restore/checkpoint.js';
import { buildIndex } from '../layout/hf_index.js';
import { buildPlan, type Plan } from '../layout/plan.js';
import type { TensorInfo } from '../restore/read_types.js';
import { renameOwn } from '../store/rename.js';
import { NativeStore } from '../store/native_store.js';
import { newNonce } from '../store/nonce.js';
import type { StoreFile } from '../store/store.js';
import { zeroOrigin } from '../tensor/shape.js';
import type { TensorSpec } from '../tensor/tensor.js';
import { writeShards } from './export_data.js';
import { leftText } from './export_left.js';
import { ExitCode } from './exit_code.js';
import { type Selection, select } from './filter.js';
import { open } from './open.js';
import { Progress, rateText } from './progress.js';
import type { Terminal } from './terminal.js';
import { count, printable, sizeIn } from './text.js';

interface Options extends Selection {
  readonly maxShardSize: number;
  readonly json?: true;
}

/** `snapshard export` */
export async function exportCheckpoint(
  path: string,
  out: string,
  options: Options,
  terminal: Terminal,
): Promise<ExitCode> {
  const started_ms = performance.now();
  const signal = terminal.interruptible();
  await requireFree(out);
  await using checkpoint = await open(path, terminal);
  const tensors = select(checkpoint.tensors.values(), options);
  const plan = buildPlan(tensors.map(specOf), { shardBytes: options.maxShardSize });
  await publish(checkpoint, plan, out, signal);
  const left = await leftText(checkpoint);
  if (left !== undefined) terminal.note(left);
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const { verified } = checkpoint;
  if (options.json) {
    const files = plan.files.map((file) => ({ name: file.path, bytes: file.bytes, tensors: file.sliceCount }));
    const from = { path: checkpoint.path, format: checkpoint.format, step: checkpoint.step };
    terminal.printJson({ from, out: resolve(out), tensors: tensors.length, bytes, verified, files });
  } else {
    const rate = rateText(bytes, performance.now() - started_ms);
    const what = `${count(tensors.length, 'tensor')}, ${sizeIn(bytes)}, in ${count(plan.files.length, 'file')}`;
    const trust = verified ? 'verified while reading' : 'not verified: it has no digests';
    terminal.print(printable(`${out}: ${what} (${rate}, ${trust})`));
  }
  return ExitCode.Fine;
}

async function requireFree(out: string): Promise<void> {
  const taken = await lstat(out).then(
    () => true,
    () => false,
  );
  if (!taken) return;
  const message = `${out} exists already. Choose another folder, or remove it.`;
  throw new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', message, { path: resolve(out) });
}

/** The whole tensor, wherever its slices are now. */
function specOf({ name, dtype, shape, group, bytes }: TensorInfo): TensorSpec {
  return { name, dtype, shape, globalShape: shape, origin: zeroOrigin(shape.length), group, bytes };
}

/** Makes the folder under a temporary name, syncs it, and gives it its own by one rename, which replaces nothing. */
async function publish(checkpoint: Checkpoint, plan: Plan, out: string, signal: AbortSignal): Promise<void> {
  const target = resolve(out);
  const store = await NativeStore.open(dirname(target), 'make', 'the folder to export to');
  const partial = `.${basename(target)}.${newNonce()}.partial`;
  try {
    await store.makeDirectory(partial, true);
    await fill(checkpoint, plan, store, partial, signal);
    await store.syncDirectories([partial]);
    signal.throwIfAborted();
    await renameOwn(store, partial, basename(target));
    await store.syncDirectories(['']);
  } catch (error) {
    await store.removeTree(partial).catch(() => undefined);
    throw error;
  } finally {
    await store.close();
  }
}

async function fill(
  checkpoint: Checkpoint,
  plan: Plan,
  store: NativeStore,
  partial: string,
  signal: AbortSignal,
): Promise<void> {
  const progress = new Progress('export', plan.sliceSpecs.reduce((sum, { bytes }) => sum + bytes, 0));
  const onBytes = (bytes: number): void => {
    progress.add(bytes);
  };
  try {
    await writeShards({ checkpoint, plan, store, folder: partial, signal, onBytes });
  } finally {
    progress.stop();
  }
  const index = await buildIndex(plan);
  if (index !== undefined) await store.writeFiles([{ path: `${partial}/${index.path}`, contents: index.bytes }]);
  for (const name of checkpoint.files.keys()) {
    const file: StoreFile = { path: `${partial}/${name}`, contents: await checkpoint.file(name) };
    await store.writeFiles([file]);
  }
}
