/** One trial in a process of its own: PyTorch multiplies matrices, by turns alone and while device memory is saved. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CheckpointWriter, type Tensor } from 'snapshard';
import { answerParent } from '../lib/bench/child.js';
import { matrixProgram, type TorchPlace } from './cuda_python.js';
import { makeDeviceTensors } from './cuda_sources.js';

export interface SlowdownTrial {
  /** An empty directory. */
  folder: string;
  tensors: number;
  bytes: number;
  device: number;
  torch: TorchPlace;
  /** Of each turn; there are as many alone as while saving. */
  turnSeconds: number;
  turns: number;
}

export interface SlowdownResult {
  /** Of all saves together. */
  bytes: number;
  seconds: number;
  cpuSeconds: number;
  slowdownPercent: number;
}

interface Turn {
  products: number;
  seconds: number;
}

/** The program that multiplies; it ends with this process. */
function startProducts({ python, device }: TorchPlace) {
  const small = device === 'cpu' ? ['--size', '256'] : [];
  const program = spawn(python, [matrixProgram, '--device', device, ...small], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: AsyncIterator<string, undefined> = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { value } = await lines.next();
    if (value === undefined) throw new Error(`${matrixProgram} ended`);
    return value;
  };
  return {
    ready: nextLine,
    async multiply(seconds: number): Promise<Turn> {
      program.stdin.write(`${seconds}\n`);
      return JSON.parse(await nextLine()) as Turn;
    },
    end: () => void program.stdin.end(),
  };
}

/** Saves, again and again, until the turn is over; resolves to how many bytes that were. */
async function saveDuring(writer: CheckpointWriter, tensors: Map<string, Tensor>, turn: Promise<Turn>) {
  const over = new AbortController();
  const end = (): void => {
    over.abort();
  };
  turn.then(end, end);
  let bytes = 0;
  while (!over.signal.aborted) bytes += (await writer.save({ step: 1, tensors, overwrite: true })).bytes;
  return bytes;
}

const rateOf = (turns: Turn[]): number =>
  turns.reduce((sum, { products }) => sum + products, 0) / turns.reduce((sum, { seconds }) => sum + seconds, 0);

async function run(trial: SlowdownTrial): Promise<SlowdownResult> {
  const { folder, bytes: size, device, turnSeconds } = trial;
  const tensors = await makeDeviceTensors(trial.tensors, size, device, folder);
  const writer = await CheckpointWriter.open(folder, { cudaDevice: device });
  const products = startProducts(trial.torch);
  await products.ready();
  const [alone, beside]: [Turn[], Turn[]] = [[], []];
  const total = { bytes: 0, seconds: 0, cpuSeconds: 0 };
  for (let turn = 0; turn < trial.turns; turn++) {
    alone.push(await products.multiply(turnSeconds));
    const cpuBefore = process.cpuUsage();
    const start_ms = performance.now();
    const multiplying = products.multiply(turnSeconds);
    total.bytes += await saveDuring(writer, tensors, multiplying);
    total.seconds += (performance.now() - start_ms) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    total.cpuSeconds += (user + system) / 1e6;
    beside.push(await multiplying);
  }
  products.end();
  await writer.close();
  return { ...total, slowdownPercent: 100 * (rateOf(alone) / rateOf(beside) - 1) };
}

answerParent(run);
