import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const doubleFolder = join(repository, 'test/native/cuda_double');
const userSource = join(repository, 'test/support/cuda_user.cc');

/** With `SNAPSHARD_TEST_GPU=1` the programs run on the GPU of this machine, and not on the double of its driver. */
export const onGpu = process.env.SNAPSHARD_TEST_GPU === '1';

/** Builds into a folder named after the sources, once for all runs; several may try at once. */
function built(name: string, sources: readonly string[], build: (folder: string) => void): string {
  const hash = createHash('sha256');
  for (const source of sources) hash.update(readFileSync(source));
  const folder = join(repository, 'build/test', `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  mkdirSync(join(repository, 'build/test'), { recursive: true });
  const fresh = mkdtempSync(`${folder}.`);
  try {
    build(fresh);
    renameSync(fresh, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}

const compile = (options: readonly string[]): void => {
  execFileSync('g++', ['-std=c++20', '-O1', '-g', '-fPIC', '-shared', '-pthread', ...options], { stdio: 'pipe' });
};

/** Copies in batches: none, as before CUDA 12.8; as in 12.8; as in 13. */
export type Batches = 0 | 1 | 2;

function doubleLibrary(batches: Batches): string {
  const sources = readdirSync(doubleFolder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(cc|h)$/.test(name))
    .map((name) => join(doubleFolder, name))
    .sort();
  return built(`cuda_double_${batches}`, sources, (folder) => {
    const units = sources.filter((source) => source.endsWith('.cc'));
    const options = [`-DCUDA_DOUBLE_BATCH=${batches}`, '-Wl,-soname,libcuda.so.1', '-ftls-model=initial-exec'];
    compile([...options, '-o', join(folder, 'libcuda.so.1'), ...units, '-ldl']);
  });
}

function userAddon(): string {
  const folder = built('cuda_user', [userSource], (fresh) => {
    const headers = ['node-api-headers/include', 'node-addon-api'].map((name) => `-I${repository}node_modules/${name}`);
    const defines = ['-DNAPI_VERSION=9', '-DNAPI_CPP_EXCEPTIONS'];
    compile([...defines, ...headers, '-o', join(fresh, 'cuda_user.node'), userSource, '-ldl']);
  });
  return join(folder, 'cuda_user.node');
}

/** Of the double: what is changed about it, by the names of its variables. */
export type DoubleEnvironment = Readonly<Record<string, string>>;

/** The environment of a program that finds a driver. */
export function cudaEnvironment(double: DoubleEnvironment = {}, batches: Batches = 2): Record<string, string> {
  const environment = { ...double, SNAPSHARD_CUDA_USER: userAddon() };
  return onGpu ? environment : { ...environment, LD_LIBRARY_PATH: doubleLibrary(batches) };
}

/** Names the file that the double leaves its counts in. */
export const tallyVariable = 'CUDA_DOUBLE_TALLY';

/** What the double counted, by what it is; empty where it told nothing. */
export function readTally(path: string): Record<string, number> {
  if (!existsSync(path)) return {};
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split(' ')).map(([name = '', value]) => [name, Number(value)]));
}

/** Of the tally: what is 0 when a process has ended that did as it should. */
export const leakNames = ['contexts', 'allocations', 'streams', 'events', 'ipc_memories', 'ipc_events', 'registrations', 'misuses'];
