/**
 * `main.ts [PART[=PATTERN]]…` runs the parts, or all of them; of a part, the trials whose mounts and name match the
 * pattern. Ends with `N passed, N failed`.
 */
import Table from 'cli-table3';
import { bench } from './bench.js';
import { faults } from './faults/part.js';
import { ranks } from './ranks/part.js';
import { run as runCommand } from './server.js';
import { suite } from './suite.js';
import type { Part, Trial } from './trial.js';

const parts: Readonly<Record<string, () => Part>> = { ranks, suite, faults, bench };
/** Whoever runs this learns from it what a trial that has not ended waits for. */
const quiet_ms = 30 * 60_000;

const table = new Table({ head: ['mounts', 'trial', 'result', ''], style: { head: [], border: [], compact: true } });
let passed = 0;
let failed = 0;

async function runOne({ mounts, name, run }: Trial): Promise<void> {
  const started_ms = performance.now();
  let outcome = 'FAILED';
  let note = '';
  const tellsWaits = setInterval(() => {
    console.error(runCommand('ps', '-eLo', 'pid,tid,stat,wchan:40,args'));
  }, quiet_ms);
  try {
    note = await run();
    outcome = 'passed';
    passed += 1;
  } catch (error) {
    failed += 1;
    console.error(error);
  } finally {
    clearInterval(tellsWaits);
  }
  console.log(`${mounts}: ${name}: ${outcome}, ${((performance.now() - started_ms) / 1000).toFixed(1)} s ${note}`);
  table.push([mounts, name, outcome, note]);
}

async function runPart(name: string, pattern = ''): Promise<void> {
  const make = parts[name];
  if (make === undefined) throw new Error(`There is no part ${name}: there are ${Object.keys(parts).join(', ')}.`);
  const part = make();
  const wanted = new RegExp(pattern);
  for (const trial of part.trials) {
    if (wanted.test(`${trial.mounts}: ${trial.name}`)) await runOne(trial);
  }
  await part.end();
}

const asked = process.argv.slice(2);
for (const each of asked.length > 0 ? asked : Object.keys(parts)) {
  const [name = '', ...pattern] = each.split('=');
  await runPart(name, pattern.join('='));
}
console.log(table.toString());
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
