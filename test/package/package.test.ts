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

/** What TypeScript is to take, and what it is to refuse. */
const typedProgram = `
  import { CheckpointWriter, type Published } from 'snapshard';
  const writer = await CheckpointWriter.open('x');
  export const published: Published = await writer.save({ step: 1, tensors: {} });
  void writer.save({ step: 1, tensors: { a: new Float32Array(1), b: { dtype: 'U8', shape: [1], data: Buffer.alloc(1) } } });
  void writer.save({ step: 1, tensors: new Map([['a', new BigInt64Array(1)]]) });
  // @ts-expect-error a misspelt option
  void CheckpointWriter.open('x', { stagingByte: 1 });
  // @ts-expect-error a number is no tensor
  void writer.save({ step: 1, tensors: { a: 5 } });
  // @ts-expect-error raw bytes do not tell their dtype
  void writer.save({ step: 1, tensors: { a: new DataView(new ArrayBuffer(1)) } });
  // @ts-expect-error no dtype is called so
  void writer.save({ step: 1, tensors: { a: { dtype: 'FP32', shape: [1], data: new Float32Array(1) } } });
`;
const halfPrecision = 'void writer.save({ step: 1, tensors: { a: new Float16Array(1) } });';

/** What TypeScript says of a program, and of the declarations that it gets from the package, which `skipLibCheck` hides. */
function diagnose(file: string, lib: string): string[] {
  const program = ts.createProgram([file], {
    ...{ strict: true, noEmit: true, skipLibCheck: false },
    ...{ module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, lib: [`lib.${lib}.d.ts`] },
    ...{ types: ['node'], typeRoots: [join(root, 'node_modules/@types')] },
  });
  const ours = join(folder, 'node_modules/snapshard/');
  const looked = program.getSourceFiles().filter(({ fileName }) => fileName === file || fileName.startsWith(ours));
  expect(looked.length).toBeGreaterThan(10);
  const found = [program.getOptionsDiagnostics(), ...looked.map((each) => program.getSemanticDiagnostics(each))].flat();
  return found.map(({ file: place, messageText }) => `${place?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
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

  it.each(['es2022', 'esnext'])('is seen with its types by TypeScript, with lib %s', (lib) => {
    const file = join(folder, 'typed.mts');
    writeFileSync(file, typedProgram + (lib === 'esnext' ? halfPrecision : ''));
    expect(diagnose(file, lib)).toEqual([]);
  });
});

describe('Node-API version', () => {
  it('is the same in CMake, in package.json and in the add-on', () => {
    const cmake = /NAPI_VERSION=(\d+)/.exec(readFileSync(join(root, 'CMakeLists.txt'), 'utf8'))?.[1];
    expect([Number(cmake)]).toEqual(manifest.binary.napi_versions);
    expect([binding.napiVersion]).toEqual(manifest.binary.napi_versions);
  });
});
