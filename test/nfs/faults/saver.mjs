/**
 * A process on a client that saves and restores as it is told, message by message, and tells how far it is. What step
 * a checkpoint is of decides all of its bytes.
 */
import { CheckpointWriter, latestCheckpoint, listCheckpoints, openCheckpoint, removeCheckpoint } from 'snapshard';

const MiB = 2 ** 20;
const pieceBytes = 64 * 1024;
/** Little in flight, so that a slow network has a beginning and an end. */
const memory = { stagingBytes: 32 * MiB, blockBytes: 2 * MiB, queueDepth: 4 };

let writer;
let checkpoint;
/** Kept: fresh pages are slow in a guest. */
let data = new Uint8Array(0);

const tell = (told) => process.send({ told });
const byteAt = (step, offset) => (step * 31 + offset / pieceBytes) & 255;

function fill(step, bytes) {
  if (data.length !== bytes) data = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += pieceBytes) data.fill(byteAt(step, at), at, at + pieceBytes);
  return data;
}

/** Compares with what was saved, with no help of digests. */
function requireSaved(piece, step, begin) {
  for (let at = 0; at < piece.length; at += pieceBytes) {
    const part = piece.subarray(at, at + pieceBytes);
    const expected = Buffer.alloc(part.length, byteAt(step, begin + at));
    if (Buffer.compare(part, expected) !== 0) throw new Error(`Step ${step} has other bytes at ${begin + at}.`);
  }
}

async function watch(save) {
  for await (const { phase, writtenBytes, totalBytes } of save.progress()) tell({ phase, share: writtenBytes / totalBytes });
}

const actions = {
  async open({ root, ...options }) {
    writer = await CheckpointWriter.open(root, { ...memory, ...options });
  },
  async save({ step, bytes, overwrite = false }) {
    const save = writer.save({ step, overwrite, tensors: { data: fill(step, bytes) }, files: { 'config.json': '{}' } });
    void watch(save);
    const { path, digest, direct, directReason, engine } = await save;
    return { path, digest, direct, directReason, engine };
  },
  async openCheckpoint({ path }) {
    checkpoint = await openCheckpoint(path, memory);
  },
  /** All of its bytes, piece by piece. */
  async read({ timeoutMs }) {
    const signal = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const total = checkpoint.tensors.get('data').shape[0];
    let read = 0;
    for await (const piece of checkpoint.stream('data', { chunkBytes: 4 * MiB, signal })) {
      requireSaved(piece, checkpoint.step, read);
      read += piece.length;
      tell({ share: read / total });
    }
    return { bytes: read };
  },
  async verify() {
    const { damaged, hasDigests } = await checkpoint.verify();
    return { damaged, hasDigests };
  },
  async closeCheckpoint() {
    await checkpoint?.close();
    checkpoint = undefined;
  },
  async latest({ root }) {
    const found = await latestCheckpoint(root, memory);
    const { step, passedOver } = found;
    await found.close();
    return { step, passedOver };
  },
  async list({ root }) {
    return (await listCheckpoints(root)).map(({ step, generation, damaged, path }) => ({ step, generation, damaged, path }));
  },
  async remove({ root, step }) {
    await removeCheckpoint(root, step);
  },
  exit() {
    process.exit();
  },
  async close() {
    const closing = writer?.close();
    writer = undefined;
    await closing;
  },
};

async function answer({ action, argument }) {
  try {
    return { result: (await actions[action](argument)) ?? {} };
  } catch (error) {
    const { message, errno, cause } = error;
    const code = typeof error.code === 'string' ? error.code : error.name;
    return { error: { code, message, errno: errno ?? cause?.errno } };
  }
}

process.on('message', async (order) => {
  process.send(await answer(order));
});
