import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binding } from '../../lib/binding.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'snapshard-package-'));

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  binary: { napi_versions: number[] };
};

function run(command: string, options: string[]): string {
  return execFileSync(command, options, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** The first example of the README, as JavaScript. */
function firstSample(): string {
  const sample = /^```(?:ts|js)\n([\s\S]*?)^```/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1];
  if (sample === undefined) throw new Error('README.md has no example');
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(sample, { compilerOptions: options }).outputText;
}

let packed: { filename: string; files: { path: string }[] };

beforeAll(() => {
  writeFileSync(join(folder, 'package.json'), '{ "name": "newcomer", "private": true, "type": "module" }');
  [packed] = JSON.parse(run('npm', ['pack', '--ignore-scripts', '--json', root])) as [typeof packed];
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', join(folder, packed.filename)]);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the packed package', () => {
  it('holds what it needs, and nothing that only its developers do', () => {
    const files = packed.files.map(({ path }) => path);
    const texts = ['LICENSE', 'README.md', 'THIRD_PARTY_NOTICES.md'];
    const needed = [...texts, 'build/Release/snapshard.node', 'dist/index.js', 'dist/index.d.ts', 'dist/cli/main.js', 'dist/bench/report/page.js', 'lib/bench/rivals.py'];
    expect(needed.filter((file) => !files.includes(file))).toEqual([]);
    expect(files.filter((file) => /^(test|bench|examples|node_modules|runs)\//.test(file))).toEqual([]);
  });

  it('satisfies publint', async () => {
    const tarball = Uint8Array.from(readFileSync(join(folder, packed.filename))).buffer;
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('runs the first sample of the README', () => {
    mkdirSync(join(folder, 'runs'), { recursive: true });
    writeFileSync(join(folder, 'sample.mjs'), firstSample());
    expect(() => run(process.execPath, ['sample.mjs'])).not.toThrow();
  });

  it('brings the command line, with all that it needs', () => {
    expect(run('node_modules/.bin/snapshard', ['ls', '.', '--json'])).toBe('{\n  "root": ".",\n  "checkpoints": []\n}\n');
  });

  it('is imported and required as the same module', () => {
    const code = `
      const required = require('snapshard');
      import('snapshard').then((imported) => console.log(required.CheckpointWriter === imported.CheckpointWriter));`;
    expect(run(process.execPath, ['--input-type=commonjs', '--no-warnings', '-e', code]).trim()).toBe('true');
  });

  it('is seen with its types by TypeScript', () => {
    writeFileSync(
      join(folder, 'typed.mts'),
      `import { CheckpointWriter, type Published } from 'snapshard';
       const writer = await CheckpointWriter.open('x');
       export const published: Published = await writer.save({ step: 1, tensors: {} });
       // @ts-expect-error a misspelt option
       void CheckpointWriter.open('x', { stagingByte: 1 });`,
    );
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--lib',
      'esnext',
      '--types',
      'node',
    ];
    const typeRoots = ['--typeRoots', join(root, 'node_modules/@types')];
    expect(() => run(process.execPath, [compiler, ...options, ...typeRoots, 'typed.mts'])).not.toThrow();
  });
});

describe('Node-API version', () => {
  it('is the same in CMake, in package.json and in the add-on', () => {
    const cmake = /NAPI_VERSION=(\d+)/.exec(readFileSync(join(root, 'CMakeLists.txt'), 'utf8'))?.[1];
    expect([Number(cmake)]).toEqual(manifest.binary.napi_versions);
    expect([binding.napiVersion]).toEqual(manifest.binary.napi_versions);
  });
});
