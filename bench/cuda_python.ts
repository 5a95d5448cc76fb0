import { fileURLToPath } from 'node:url';
import { runPython, type PythonCheck, type PythonWay } from '../lib/bench/python.js';
import type { TrialKind } from './trials.js';

/** Which Python, and what its tensors are on: `cuda:0`, or `cpu` to try the programs out. */
export interface TorchPlace {
  python: string;
  device: string;
}

export const matrixProgram = fileURLToPath(new URL('./cuda_matmul.py', import.meta.url));

const tensorCount = 64;

/** Why one of Python's ways cannot run, and what to do; `undefined` when it can. */
export function wayMissing(way: PythonWay, check: PythonCheck, { python, device }: TorchPlace): string | undefined {
  if (device === 'cpu' || check.gpu) return check.missing(way);
  return check.missing(way) ?? `the PyTorch of ${python} sees no GPU`;
}

/** One of PyTorch's own ways, in two saves of the same tensors. */
export function rivalTrial(way: PythonWay, { python, device }: TorchPlace, missing: TrialKind['missing']): TrialKind {
  return {
    missing,
    run: (place, bytes, signal) =>
      place.use(way, async (folder, startAt_ms) => {
        const tensors = [plainTensors(bytes)];
        const trial = { way, folders: [folder], tensors, seed: 1, device, saves: 2 };
        const [first, second] = await runPython(python, trial, { signal, startAt_ms });
        const next = { nextSeconds: second!.seconds, nextStagedSeconds: second!.pauseSeconds! };
        const { bytes: saved, seconds, cpuSeconds, pauseSeconds } = first!;
        const how = `PyTorch, ${device}, fsync`;
        return { bytes: saved, seconds, cpuSeconds, stagedSeconds: pauseSeconds!, ...next, how };
      }),
  };
}

function plainTensors(bytes: number) {
  const elements = Math.floor(bytes / tensorCount / 2);
  return Array.from({ length: tensorCount }, (_, index) => ({
    name: `layers.${index}.weight`,
    dtype: 'BF16' as const,
    shape: [elements],
    group: 'model',
    bytes: elements * 2,
  }));
}
