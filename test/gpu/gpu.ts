/**
 * What the tests in this folder run on; to be imported first. A real GPU, and PyTorch beside it (`SNAPSHARD_PYTHON`,
 * else `python3`). With `SNAPSHARD_TEST_GPU=0` the double of the driver, and PyTorch's tensors on the CPU, to try them
 * out.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { capabilities } from 'snapshard';

process.env.SNAPSHARD_TEST_GPU ??= '1';
process.env.SNAPSHARD_PYTHON ??= 'python3';

const own = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const onDouble = process.env.SNAPSHARD_TEST_GPU !== '1';
export const python = process.env.SNAPSHARD_PYTHON;
export const torchDevice = onDouble ? 'cpu' : 'cuda';
export const trainers = own('torch_trainers.py');

process.env.PYTHONPATH = own('../../examples/pytorch');

/** Why nothing can be tested here; empty where it can. */
export const cudaReason = onDouble ? '' : capabilities().cuda.reason;
/** Why nothing that needs PyTorch can. */
export const torchReason = cudaReason !== '' ? cudaReason : reasonOfTorch();

function reasonOfTorch(): string {
  const check = `
import sys, safetensors, torch
if sys.argv[1] == "cuda" and not torch.cuda.is_available(): print(f"PyTorch {torch.__version__} sees no GPU")
`;
  try {
    return execFileSync(python, ['-c', check, torchDevice], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch (error) {
    return `${python}: ${(error as Error).message.trim().split('\n').at(-1) ?? ''}`;
  }
}

/** Says that tests are skipped, and why. */
export function tellSkipped(what: string, reason: string): void {
  if (reason !== '') console.log(`${what}: skipped, ${reason}`);
}
