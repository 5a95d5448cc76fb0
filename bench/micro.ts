import Table from 'cli-table3';
import { Bench } from 'tinybench';
import { binding } from '../lib/binding.js';
import { buildPlan, planMatches } from '../lib/layout/plan.js';
import { fillRankManifest } from '../lib/layout/rank_manifest.js';
import { orderSegments } from '../lib/layout/segments.js';
import { normalizeTensors } from '../lib/tensor/normalize.js';
import type { TensorInput } from '../lib/tensor/tensor.js';
import { MiB } from './units.js';

const options = { shardBytes: Infinity };
const digestBytes = 16;

/** Times the steps that a save takes on the JavaScript thread, for `count` tensors of 64 elements. */
export async function benchMicro(count: number): Promise<void> {
  const tensors = new Map<string, TensorInput>();
  for (let index = 0; index < count; index++) tensors.set(`layers.${index}.weight`, new Float32Array(64));
  const { specs, sources } = normalizeTensors(tensors, () => undefined);
  const plan = buildPlan(specs, options);
  const sliceDigests = new Uint8Array(plan.sliceBytes.length * digestBytes);
  const fileDigests = new Uint8Array(plan.files.length * digestBytes);
  const digest = (bytes: Uint8Array): string => binding.digest(bytes);
  const digests = { name: 'ranks/00000.digests', bytes: sliceDigests.length, digest: digest(sliceDigests) };
  const facts = { writer: 'bench', step: 1, save: 'bench', worldSize: 1, sideFiles: [] };
  const filled = { ...facts, sliceDigests, fileDigests, digests };
  const text = new Uint8Array(MiB);

  const bench = new Bench({ time: 1000, warmupTime: 200 });
  bench.add('normalise', () => void normalizeTensors(tensors, () => undefined));
  bench.add('plan and headers', () => void buildPlan(specs, options));
  bench.add('plan found again', () => void planMatches(plan, specs, options));
  bench.add('order segments', () => void orderSegments(plan, sources));
  bench.add('rank manifest, first', () => fillRankManifest(buildPlan(specs, options), filled, digest).then(() => undefined));
  bench.add('rank manifest, again', () => fillRankManifest(plan, filled, digest).then(() => undefined));
  bench.add('digest of 1 MiB', () => void binding.digest(text));
  await bench.run();
  process.stdout.write(`${report(bench)}\n${count} tensors\n`);
}

function report(bench: Bench): string {
  const table = new Table({
    head: ['step', 'median ms', 'p99 ms', 'runs'],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, result } of bench.tasks) {
    if (!('latency' in result)) throw new Error(`${name} did not complete: ${result.state}`);
    const { p50, p99, samplesCount } = result.latency;
    table.push([name, p50.toFixed(3), p99.toFixed(3), samplesCount]);
  }
  return table.toString();
}
