import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Export, type Version } from './server.js';
import type { Part, Trial } from './trial.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const vitest = join(repository, 'node_modules/vitest/vitest.mjs');
/** On one processor that is slow in all that has to do with the kernel. */
const timeout_ms = 15 * 60_000;

/** What vitest's reporter `json` writes, as far as we need it. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numFailedTestSuites: number;
}

/** Runs the tests of `test/integration` with their roots in a folder. */
async function runTests(folder: string): Promise<Report & { readonly success: boolean }> {
  const output = join(mkdtempSync(join(tmpdir(), 'snapshard-suite-')), 'report.json');
  const timeouts = [`--testTimeout=${timeout_ms}`, `--hookTimeout=${timeout_ms}`, '--maxWorkers=1'];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${output}`];
  const files = process.env.SNAPSHARD_NFS_FILES?.split(' ') ?? [];
  // The part `bench` runs that on mounts; a page in a browser has none.
  const others = ['--exclude', '**/{bench,tune,report}_*'];
  const options = [vitest, 'run', '--project', 'integration', ...others, ...timeouts, ...reporters, ...files];
  const env: NodeJS.ProcessEnv = { ...process.env, SNAPSHARD_TEST_FOLDER: folder };
  // What fails once is not tried again.
  delete env.CI;
  const child = spawn(process.execPath, options, { cwd: repository, env, stdio: ['ignore', 'inherit', 'inherit'] });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // The report does not tell of test files that were killed.
  return { ...(JSON.parse(readFileSync(output, 'utf8')) as Report), success: code === 0 };
}

function trialOf(version: Version, place: string): Trial {
  return {
    mounts: `NFS ${version}`,
    name: 'the tests of test/integration',
    run: async () => {
      const { numPassedTests, numFailedTests, numPendingTests, success } = await runTests(place);
      const note = `${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`;
      if (!success) throw new Error(note);
      return note;
    },
  };
}

/** The integration tests on a mount with default options. `SNAPSHARD_NFS_FILES` names some of them. */
export function suite(): Part {
  const exported = new Export({ bytes: 2 ** 31 });
  const versions = ['4.2', '3'] as const;
  return {
    trials: versions.map((version) => trialOf(version, exported.mount(1, version))),
    end: () => {
      exported.remove();
      return Promise.resolve();
    },
  };
}
