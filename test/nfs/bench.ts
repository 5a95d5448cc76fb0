import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readResult } from '../../lib/bench/report/read_result.js';
import type { BenchResult, Row } from '../../lib/bench/result.js';
import { Export, type Client, type Version } from './server.js';
import type { Part, Trial } from './trial.js';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const size = ['--bytes', '32MiB', '--staging', '32MiB', '--ranks', '2'];
const rounds = ['--repeat', '2', '--warmup', '0', '--rest', '0', '--rivals', 'node-writefile'];

async function measure(mount: string): Promise<{ result: BenchResult; table: string }> {
  const json = join(mkdtempSync(join(tmpdir(), 'snapshard-bench-')), 'result.json');
  const words = [program, 'bench', mount, ...size, ...rounds, '--yes', '--json', json];
  const { stdout } = await promisify(execFile)(process.execPath, words, { maxBuffer: 2 ** 24 });
  const result = await readResult(json);
  assert(result.format === 'snapshard-bench-1');
  return { result, table: stdout };
}

function rowOf({ rows }: BenchResult, id: string, phase: Row['phase']): Row {
  const row = rows.find((each) => each.id === id && each.phase === phase);
  assert(row?.missing === undefined && row?.samples.length === 2, `No two rounds of ${id}, ${phase}: ${row?.missing}`);
  return row;
}

const rateOf = ({ samples }: Row): string =>
  samples.map(({ bytes, seconds }) => (bytes / seconds / 1e9).toFixed(2)).join(' and ');

function trialOf(exported: Export, client: Client, version: Version, options: readonly string[], remarks: readonly RegExp[]): Trial {
  return {
    mounts: ['NFS', version, ...options].join(' '),
    name: 'snapshard bench with two ranks',
    run: async () => {
      const mount = exported.mount(client, version, ...options);
      const { result, table } = await measure(mount);
      const { fileSystem, mountOptions, remarks: said } = result.target;
      assert.match(fileSystem, /^nfs4?$/);
      for (const option of [`vers=${version}`, ...options]) assert(mountOptions.includes(option), `${option}: ${mountOptions.join()}`);
      for (const remark of remarks) assert(said.some((text) => remark.test(text)), `${remark.source}: ${said.join('\n')}`);
      const save = rowOf(result, 'snapshard', 'save');
      assert.match(save.how, /direct yes/);
      assert(save.samples.every(({ ranks }) => ranks.length === 2));
      for (const phase of ['verify', 'restore cold', 'restore warm'] as const) rowOf(result, 'snapshard', phase);
      const [raw, rival] = [rowOf(result, 'raw', 'save'), rowOf(result, 'node-writefile', 'save')];
      assert(table.split('\n').every((line) => line.length <= 100), 'A line of over 100 characters.');
      assert.deepEqual(readdirSync(mount), [], 'Something was left on the mount.');
      return `GB/s: ours ${rateOf(save)}, raw ${rateOf(raw)}, writeFile ${rateOf(rival)}`;
    },
  };
}

/** What the benchmark tells of a mount: that it is one, how it is mounted, and what that means. */
export function bench(): Part {
  const exported = new Export({ bytes: 2 ** 29 });
  return {
    trials: [
      trialOf(exported, 1, '4.2', [], [/nconnect/]),
      trialOf(exported, 1, '3', [], [/nconnect/]),
      // Mounts of one server share the connections of the first: another client has none yet.
      trialOf(exported, 2, '4.2', ['nconnect=4', 'sync'], [/option sync/]),
    ],
    end: () => {
      exported.remove();
      return Promise.resolve();
    },
  };
}
