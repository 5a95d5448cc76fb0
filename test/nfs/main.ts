/**
 * Runs every scenario over every pair of mounts: `main.ts LABEL MOUNT MOUNT [LABEL MOUNT MOUNT]…`. Each two
 * mounts are one directory, seen by two clients. Ends with `N passed, N failed`.
 */
import Table from 'cli-table3';
import { endIdle } from './fleet.js';
import { makeRoots, scenarios, type Latencies } from './scenarios.js';

function describe(latencies: Latencies): string {
  if (latencies.length === 0) return '';
  const sorted = [...latencies].sort((left, right) => left - right);
  const [least, median, most] = [sorted[0]!, sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!];
  return `${median.toFixed(0)} ms (${least.toFixed(0)} to ${most.toFixed(0)})`;
}

const head = ['mounts', 'scenario', 'result', 'from durable to resolved on all ranks'];
const table = new Table({ head, style: { head: [], border: [], compact: true } });
let passed = 0;
let failed = 0;

async function runAll(label: string, mounts: readonly string[]): Promise<void> {
  for (const [index, scenario] of scenarios.entries()) {
    const started_ms = performance.now();
    let outcome = 'passed';
    let latencies: Latencies = [];
    try {
      latencies = await scenario.run(makeRoots(mounts, `${label.replace(/\W/g, '-')}-${index}`));
      passed += 1;
    } catch (error) {
      outcome = 'FAILED';
      failed += 1;
      console.error(error);
    }
    console.log(`${label}: ${scenario.name}: ${outcome}, ${((performance.now() - started_ms) / 1000).toFixed(1)} s`);
    table.push([label, scenario.name, outcome, describe(latencies)]);
  }
}

const columns = process.argv.slice(2);
for (let at = 0; at < columns.length; at += 3) await runAll(columns[at]!, columns.slice(at + 1, at + 3));
await endIdle();
console.log(table.toString());
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
