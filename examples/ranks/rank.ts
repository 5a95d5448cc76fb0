/**
 * One rank of a data-parallel run: all ranks hold the weights, and each its own rows of the optimizer's state, as ZeRO
 * and FSDP divide it. Started by a launcher (`torchrun --no-python`, `srun`, or examples/ranks.ts) with the directory to
 * save to. Saves steps 1 and 2; where `DIE_IN_STEP` says so, it dies in the middle of one.
 */
import { CheckpointWriter, SnapshardError, type Tensor } from 'snapshard';

const rank = Number(process.env.RANK);
const worldSize = Number(process.env.WORLD_SIZE);
const layers = 8;
const hidden = 2048;
const deadlineMs = 4000;

/** The same on all ranks, as weights are after a step. */
function weight(seed: number): Uint16Array {
  return new Uint16Array(hidden * hidden).map((_, index) => (index * 31 + seed) & 0x3fff);
}

/** Of the whole, `hidden` rows, this rank's. */
function ownRows(name: string, seed: number): [string, Tensor] {
  const begin = Math.floor((hidden * rank) / worldSize);
  const end = Math.floor((hidden * (rank + 1)) / worldSize);
  const shape = [end - begin, hidden];
  const data = new Float32Array((end - begin) * hidden).fill(seed + rank);
  return [name, { dtype: 'F32', shape, globalShape: [hidden, hidden], origin: [begin, 0], group: 'optimizer', data }];
}

function state(): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (let layer = 0; layer < layers; layer++) {
    const name = `layers.${layer}.weight`;
    tensors.set(name, { dtype: 'BF16', shape: [hidden, hidden], data: weight(layer), replicas: 'all' });
    for (const moment of ['exp_avg', 'exp_avg_sq']) tensors.set(...ownRows(`${name}.${moment}`, layer));
  }
  return tensors;
}

async function save(writer: CheckpointWriter, step: number): Promise<string> {
  const files = { [`rng-${String(rank).padStart(5, '0')}.json`]: JSON.stringify({ seed: 42 + rank }) };
  const saving = writer.save({ step, tensors: state(), metadata: { epoch: 3 }, files });
  if (process.env.DIE_IN_STEP === String(step)) process.kill(process.pid, 'SIGKILL');
  const { path, digest, bytes, timings } = await saving;
  return JSON.stringify({ rank, step, path, digest, bytes, seconds: timings.publishedSeconds });
}

const root = process.argv[2] ?? 'runs/ranks';
const writer = await CheckpointWriter.open(root, { stagingBytes: 256 * 2 ** 20, deadlineMs });
for (const step of [1, 2]) {
  try {
    console.log(await save(writer, step));
  } catch (error) {
    if (!(error instanceof SnapshardError)) throw error;
    console.log(JSON.stringify({ rank, step, error: `${error.code}: ${error.message}` }));
  }
}
await writer.close();
