import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SoakClass } from './soak_class.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const build = join(repository, 'build-fuzz');
const compilers = ['clang++', 'clang++-14'];
const inputBytesMax = 512;
const inputTimeout_s = 120;

/** Executions in one trial: those that only count are a hundred times as fast as those that carry a plan out. */
export const targets: Readonly<Record<string, number>> = {
  ...{ counts: 50_000, digest: 20_000, ipc_registry: 20_000, read_layout: 100_000, transfer_layout: 50_000 },
  ...{ directory: 5000, read: 5000, transfer: 2500 },
};

const empty = 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }';

/** The first clang++ that has libFuzzer. */
function findCompiler(): string | undefined {
  const options = ['-fsanitize=fuzzer,address', '-x', 'c++', '-', '-o', '/dev/null'];
  return compilers.find((compiler) => spawnSync(compiler, options, { input: empty }).status === 0);
}

let built = false;

function buildTargets(): void {
  if (built) return;
  const compiler = findCompiler() ?? 'clang++';
  const sanitizers = 'address,undefined,float-cast-overflow';
  const settings = {
    ...{ CMAKE_BUILD_TYPE: 'RelWithDebInfo', CMAKE_CXX_COMPILER: compiler, CMAKE_C_COMPILER: compiler.replace('++', '') },
    ...{ SNAPSHARD_FUZZ: 'ON', SNAPSHARD_SANITIZE: sanitizers, SNAPSHARD_TOOLS: 'OFF' },
  };
  const definitions = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  execFileSync('cmake', ['-S', repository, '-B', build, ...definitions], { stdio: 'pipe' });
  const names = Object.keys(targets).map((name) => `${name}_fuzz`);
  execFileSync('cmake', ['--build', build, '--parallel', String(availableParallelism()), '--target', ...names], { stdio: 'pipe' });
  built = true;
}

/** Its lines are inputs, in hexadecimal digits. */
function unpackCorpus(name: string, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const lines = readFileSync(join(repository, `test/native/fuzz/corpus/${name}.txt`), 'utf8').trim().split('\n');
  for (const [number, line] of lines.entries()) writeFileSync(join(folder, String(number)), Buffer.from(line, 'hex'));
  return folder;
}

/** Runs one target; what libFuzzer found is in what it said, with the input in base64. */
export async function runTarget(name: string, seed: number, runs: number, folder: string): Promise<void> {
  const found = join(folder, name);
  mkdirSync(found, { recursive: true });
  const corpus = unpackCorpus(name, join(folder, `${name} corpus`));
  const limits = [`-max_len=${inputBytesMax}`, '-len_control=0', `-timeout=${inputTimeout_s}`, `-artifact_prefix=${folder}/`, '-print_final_stats=1'];
  const words = [`-runs=${runs}`, `-seed=${Math.max(seed, 1)}`, ...limits, found, corpus];
  const program = join(build, `test/native/fuzz/${name}_fuzz`);
  const output = await promisify(execFile)(program, words, { maxBuffer: 2 ** 26 }).catch((error: unknown) => {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(`${name}_fuzz ${words.join(' ')}\n${(stderr ?? message).slice(-6000)}`);
  });
  const executed = Number(/number_of_executed_units:\s*(\d+)/.exec(output.stderr)?.[1]);
  if (!(executed >= runs)) throw new Error(`${name}_fuzz ended after ${executed} executions of ${runs}.`);
}

export const soak: SoakClass = {
  name: 'fuzz',
  about: 'coverage-guided fuzzing of what native code takes from outside: refused, or carried out to the byte',
  cases: { count: Object.values(targets).reduce((sum, runs) => sum + runs, 0), called: 'executions' },
  whyNot: () => (findCompiler() === undefined ? 'it needs clang++ with libFuzzer (libclang-rt-14-dev)' : undefined),
  async trial(seed, folder) {
    buildTargets();
    for (const [name, runs] of Object.entries(targets)) await runTarget(name, seed, runs, folder);
  },
};
