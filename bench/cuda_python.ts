import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TrialKind } from './trials.js';

/** Which Python, and what its tensors are on: `cuda:0`, or `cpu` to try the programs out. */
export interface TorchPlace {
  python: string;
  device: string;
}

export type RivalWay = 'torch.save' | 'async_save' | 'save_file';

const rivals = fileURLToPath(new URL('./cuda_rivals.py', import.meta.url));
export const matrixProgram = fileURLToPath(new URL('./cuda_matmul.py', import.meta.url));

const check = `
import sys
try:
    import safetensors.torch, torch
    from torch.distributed.checkpoint.staging import DefaultStager
    if sys.argv[1] != "cpu" and not torch.cuda.is_available():
        print(f"PyTorch {torch.__version__} sees no GPU")
except ImportError as error:
    print(error)
`;

const install = 'python3 -m venv torch && torch/bin/pip install "torch>=2.9" numpy safetensors';

/** Why Python's part cannot run, and what to do; `undefined` when it can. Asking takes seconds, once. */
export function makePythonMissing({ python, device }: TorchPlace): () => string | undefined {
  let reason: string | undefined;
  return () => {
    reason ??= reasonOf(python, device);
    return reason === '' ? undefined : `${reason}: ${install}, then SNAPSHARD_PYTHON=torch/bin/python`;
  };
}

function reasonOf(python: string, device: string): string {
  try {
    return execFileSync(python, ['-c', check, device], { encoding: 'utf8' }).trim();
  } catch {
    return `${python} does not run`;
  }
}

interface RivalResult {
  bytes: number;
  saves: [first: RivalSave, second: RivalSave];
}

interface RivalSave {
  stagedSeconds: number;
  seconds: number;
  cpuSeconds: number;
}

/** One of PyTorch's own ways, in two saves of the same tensors. */
export function rivalTrial(way: RivalWay, { python, device }: TorchPlace, missing: TrialKind['missing']): TrialKind {
  const tensors = 64;
  return {
    missing,
    run: (place, bytes, signal) =>
      place.use(way, async (folder, startAt_ms) => {
        const options = { bytes, tensors, device, 'start-at-ms': startAt_ms };
        const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
        const command = ['-W', 'ignore', rivals, way, folder, ...flags];
        const { stdout } = await promisify(execFile)(python, command, { signal });
        const { bytes: saved, saves } = JSON.parse(stdout) as RivalResult;
        const [first, second] = saves;
        const next = { nextSeconds: second.seconds, nextStagedSeconds: second.stagedSeconds };
        return { bytes: saved, ...first, ...next, how: `PyTorch, ${device}, fsync` };
      }),
  };
}
