import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CheckpointWriter } from 'snapshard';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkCheckpoint } from '../../examples/check.js';
import { Session } from '../../examples/pytorch/session.js';
import { supervise } from '../../examples/pytorch/supervise.js';
import { cudaEnvironment } from '../support/cuda.js';
import { namesIn, useRoot } from '../support/root.js';
import { inventory } from './oracle.js';

const own = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const example = own('../../examples/pytorch');
// On a machine with a GPU: a Python whose PyTorch can use it.
const python = process.env.SNAPSHARD_PYTHON ?? own('../../.venv/bin/python');

process.env.PYTHONPATH = example;
// Small models: more threads would only be in each other's way.
process.env.OMP_NUM_THREADS = '1';
const cudaReason = execFileSync(
  python,
  ['-c', 'import torch; print("" if torch.cuda.is_available() else f"PyTorch {torch.__version__} sees no GPU")'],
  { encoding: 'utf8' },
).trim();
if (cudaReason !== '') console.log(`PyTorch trainer on cuda: skipped, ${cudaReason}`);

const root = useRoot();
const leftBefore: string[] = [];
leftBefore.push(...leftInSharedMemory());
let lines: string[] = [];
const print = (line: string): void => void lines.push(line);
beforeEach(() => {
  lines = [];
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail' && existsSync(log())) console.log(readFileSync(log(), 'utf8'));
  rmSync(log(), { force: true });
});

/** What trainers print: tracebacks too, of those that are meant to fail. */
const log = (): string => `${root.path}.log`;

function superviseInLog(command: string[], restarts: number, folder: string): Promise<void> {
  return supervise({ root: folder, command: ['sh', '-c', 'exec "$@" >>"$0" 2>&1', log(), ...command], restarts, print });
}

function runTrainer(mode: string, device: string, options: string[] = [], folder = root.path): Promise<void> {
  return superviseInLog([python, own('pytorch_trainers.py'), mode, device, ...options], mode === 'killed' ? 1 : 0, folder);
}

const pathOf = (step: number, folder = root.path): string => join(folder, `step-${String(step).padStart(10, '0')}`);

/** By tensor: its SHA-256, as Python's safetensors reads it. */
async function digestsOf(paths: string[]): Promise<Record<string, string>[]> {
  return (await inventory(paths)).map((shards) => {
    const tensors = Object.values(shards).flatMap((shard) => Object.entries(shard.tensors));
    return Object.fromEntries(tensors.map(([name, { sha256 }]) => [name, sha256]));
  });
}

function toldIn(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Files that PyTorch made in processes that are no more. */
function leftInSharedMemory(): string[] {
  const owner = (name: string): string => /^torch_(\d+)_/.exec(name)?.[1] ?? 'self';
  return readdirSync('/dev/shm').filter((name) => !existsSync(`/proc/${owner(name)}`) && !leftBefore.includes(name));
}

describe.each(['cpu', 'cuda'])('a PyTorch trainer on %s', (device) => {
  const test = it.skipIf(device === 'cuda' && cudaReason !== '');

  test('is killed, goes on from its last checkpoint, and ends with the bits of a run that nobody killed', async () => {
    const [whole, killed] = [join(root.path, 'whole'), join(root.path, 'killed')];
    for (const folder of [whole, killed]) mkdirSync(folder);
    await superviseInLog([python, join(example, 'train.py'), '--device', device], 0, whole);
    expect(lines).toEqual([]);
    await runTrainer('killed', device, [join(root.path, 'marker')], killed);
    expect(lines).toEqual(['The trainer ended with SIGKILL: It closed the connection without a word.', 'It is started again.']);

    expect(namesIn(killed)).toEqual(namesIn(whole));
    const [expected, found] = await digestsOf([pathOf(60, whole), pathOf(60, killed)]);
    expect(Object.keys(expected!)).toEqual(expect.arrayContaining(['0.weight', '1.running_mean', '4.bias.exp_avg_sq']));
    expect(found).toEqual(expected);
    const states = [whole, killed].map((folder) => toldIn(join(pathOf(60, folder), 'trainer.json')));
    expect(states[1]).toEqual(states[0]);
    expect(leftInSharedMemory()).toEqual([]);
  });

  test('may overwrite its tensors, and put others in their place, as soon as a save returns', async () => {
    const told = join(root.path, 'told.json');
    await runTrainer('overwriting', device, [told]);
    expect(await digestsOf([0, 1, 2].map((step) => pathOf(step)))).toEqual(toldIn(told));
  });

  test('gets tied weights, parts, empty tensors and scalars back, and nothing beside them changes', async () => {
    const told = join(root.path, 'told.json');
    const names = ['weight', 'tied', 'part', 'none', 'scalar'];
    await runTrainer('aliasing', device, [told]);
    const equal = Object.fromEntries(names.map((name) => [name, true]));
    expect(toldIn(told)).toEqual({ equal, beside: true, tied: true, step: 1 });
  });

  test('dies in the middle of a save: nothing half is there, and nothing is left in shared memory', async () => {
    await expect(runTrainer('dying_in_save', device)).rejects.toThrow(/The trainer ended with SIGKILL/);
    for (const name of namesIn(root.path)) await checkCheckpoint(join(root.path, name));
    expect(leftInSharedMemory()).toEqual([]);
  });

  test.each([
    ['strided', /exit code 1: ValueError: weight cannot be shared: .* strides \[1, 8\]/],
    ['wrong_step', /exit code 1: KeyError: 'ERR_SNAPSHARD_INVALID_ARGUMENT'/],
    ['other_model', /exit code 1: SnapshardError: .* is of another model: weight is F32 \[8, 8\], not F32 \[8, 16\]/],
  ])('that fails (%s) is told why, and so is who supervises it', async (mode, reason) => {
    await expect(runTrainer(mode, device)).rejects.toThrow(reason);
  });

  test('that speaks another protocol is told so, and so is who supervises it', async () => {
    const told = join(root.path, 'told.json');
    const reason = 'Expected protocol version 1 but received 0.';
    await expect(runTrainer('other_version', device, [told])).rejects.toThrow(reason);
    expect(toldIn(told)).toBe(reason);
  });

  test('ends with a clear message when its supervisor is killed', async () => {
    const main = join(example, 'main.ts');
    const command = [python, join(example, 'train.py'), '--device', device, '--steps', '1000000'];
    const env = { ...process.env, TMPDIR: root.path };
    const supervisor = spawn(process.execPath, ['--import', 'tsx', main, root.path, ...command], { env });
    let output = '';
    for (const stream of [supervisor.stdout, supervisor.stderr]) {
      stream.on('data', (text: Buffer) => {
        output += text.toString();
        if (/step +20 /.test(output)) supervisor.kill('SIGKILL');
      });
    }
    // The trainer has these pipes too: they close when it ends.
    await once(supervisor, 'close');
    expect(output).toContain('ConnectionError: The Node process that saves this run has closed the connection');
    expect(leftInSharedMemory()).toEqual([]);
  });
});

it('a trainer that is gone is reported as such, though an answer to it fails before that is seen', async () => {
  await using writer = await CheckpointWriter.open(root.path);
  const socket = new Socket();
  const ended = new Session(socket, { root: root.path, writer, deviceSnapshot: false, onPublished: () => undefined }).run();
  socket.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  expect(await ended).toBe('It closed the connection without a word.');
});

describe('a trainer with device memory', () => {
  it('is saved behind its event, may overwrite what is staged, and gets it back', async () => {
    const told = join(root.path, 'told.json');
    const folder = join(root.path, 'checkpoints');
    const command = [python, own('pytorch_on_device.py'), told];
    const supervisor = spawn(process.execPath, ['--import', 'tsx', join(example, 'main.ts'), folder, ...command], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...cudaEnvironment() },
    });
    expect(await once(supervisor, 'exit')).toEqual([0, null]);
    const paths = [0, 1, 2].map((step) => pathOf(step, folder));
    const saved = await digestsOf(paths);
    expect(toldIn(told)).toEqual({ saved, step: 2, restored: saved[2] });
  });
});
