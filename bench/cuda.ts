import { capabilities } from 'snapshard';
import { cudaRows } from './cuda_rows.js';
import { cudaTrialNames, makeCudaTrials } from './cuda_trials.js';
import { measure, type MeasureOptions } from './measure.js';
import type { Place } from '../lib/bench/place.js';
import { checkPython } from '../lib/bench/python.js';

export interface CudaOptions extends MeasureOptions {
  /** The number of the GPU. */
  device: number;
  /** What PyTorch's part runs on: `cpu` only to try it out. Default: that GPU. */
  torchDevice?: string;
}

/** Throws where there is no GPU. */
export function requireGpu(): void {
  const { available, reason } = capabilities().cuda;
  if (!available) throw new Error(`There is nothing to measure: ${reason}`);
}

/** Device memory to disk: against plain copies, the same from host memory, fio, and what PyTorch saves with. */
export async function benchCuda(options: CudaOptions, place: Place, signal: AbortSignal): Promise<void> {
  const { device, torchDevice = `cuda:${device}`, bytes } = options;
  const torch = { python: process.env.SNAPSHARD_PYTHON ?? 'python3', device: torchDevice };
  const check = await checkPython(torch.python, signal);
  const kinds = makeCudaTrials({ device, torch }, check, bytes);
  await measure({ kinds, names: cudaTrialNames, rows: cudaRows }, options, place, signal);
}
