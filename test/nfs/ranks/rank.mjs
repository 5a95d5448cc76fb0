/** One rank that does what it is told, message by message: `open`, `save`, `close`. It answers what came of each. */
import { performance } from 'node:perf_hooks';
import { CheckpointWriter } from 'snapshard';

const rowsPerRank = 64;
const columns = 1024;

let writer;
let place;

/** Milliseconds since 1970; all ranks run on one machine, and so by one clock. */
const now_ms = () => performance.timeOrigin + performance.now();

function tensorsOf({ rank, worldSize }, step) {
  const rows = new Float32Array(rowsPerRank * columns).fill(rank + step);
  const slice = { globalShape: [rowsPerRank * worldSize, columns], origin: [rowsPerRank * rank, 0] };
  return {
    weight: { dtype: 'F32', shape: [rowsPerRank, columns], ...slice, data: rows },
    norm: { dtype: 'F32', shape: [256, 1024], data: new Float32Array(256 * 1024).fill(step), replicas: 'all' },
    [`loader.${rank}`]: { dtype: 'I64', shape: [], data: new BigInt64Array([BigInt(step)]) },
  };
}

const actions = {
  async open({ root, ...options }) {
    const opened = await CheckpointWriter.open(root, { stagingBytes: 2 ** 24, blockBytes: 2 ** 20, ...options });
    writer = opened;
    place = options;
    return {};
  },
  /** `wrong` asks for what fails the check of the arguments. */
  async save({ step, wrong = false }) {
    const called_ms = now_ms();
    const tensors = wrong ? { broken: { dtype: 'F32', shape: [2], data: new Uint8Array(1) } } : tensorsOf(place, step);
    const files = { 'config.json': '{}', [`rng-${place.rank}.json`]: String(place.rank) };
    const { path, digest, timings } = await writer.save({ step, tensors, metadata: { step }, files });
    const resolved_ms = now_ms();
    return { path, digest, durable_ms: called_ms + timings.durableSeconds * 1000, resolved_ms };
  },
  async close() {
    await writer?.close().catch(() => undefined);
    writer = undefined;
    return {};
  },
};

async function answer({ action, argument }) {
  try {
    return { result: await actions[action](argument) };
  } catch ({ code, message, ranks }) {
    return { error: { code, message, ranks } };
  }
}

process.on('message', async (order) => {
  process.send(await answer(order));
});
