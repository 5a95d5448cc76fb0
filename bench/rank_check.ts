import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import type { Place } from '../lib/bench/place.js';
import type { RankCheckResult } from './rank_check_trial.js';
import { shardings, tensorsPerRank, writeRankManifests } from './rank_manifests.js';
import { KiB, MiB } from './units.js';

/** About what the manifest of one rank takes. */
export const rankManifestBytes = 300 * KiB;

/** In a fresh process, so that its memory is its own. */
async function runCheck(folder: string, ranks: number, signal: AbortSignal): Promise<RankCheckResult> {
  const script = fileURLToPath(new URL('./rank_check_trial.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, script, folder, `${ranks}`], {
    signal,
    killSignal: 'SIGKILL',
  });
  return JSON.parse(stdout) as RankCheckResult;
}

/** Time, memory and operations of rank 0 from its hand-in to publication, for growing numbers of ranks. */
export async function benchRankCheck(counts: readonly number[], place: Place, signal: AbortSignal): Promise<void> {
  const table = new Table({
    head: ['sharding', 'ranks', 'MiB', 'seconds', 'CPU s', 'ms a rank', 'peak MiB', 'of that before', 'reads', 'other calls'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const sharding of shardings) {
    for (const ranks of counts) {
      const result = await place.use(`${sharding}-${ranks}`, async (folder) => {
        await writeRankManifests(folder, { sharding, ranks }, signal);
        execFileSync('sync', ['-f', folder]);
        return runCheck(folder, ranks, signal);
      });
      const { bytes, seconds, cpuSeconds, peakBytes, beforeBytes, reads, otherOperations } = result;
      const times = [seconds.toFixed(2), cpuSeconds.toFixed(2), ((seconds / ranks) * 1000).toFixed(2)];
      const memory = [peakBytes, beforeBytes].map((value) => (value / MiB).toFixed(0));
      table.push([sharding, ranks, (bytes / MiB).toFixed(1), ...times, ...memory, reads, otherOperations]);
    }
  }
  process.stdout.write(`${table.toString()}\n${tensorsPerRank} tensors a rank; the manifests are read from the page cache\n`);
}
