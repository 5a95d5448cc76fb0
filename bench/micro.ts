import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { Bench } from 'tinybench';
import { CheckpointWriter, type Tensor } from '../lib/index.js';
import { byteSteps, parseSteps, planSteps, type Step } from './micro_steps.js';
import { MiB } from './units.js';

/** Times the inner parts, for `count` tensors of 64 elements, and for 64 MiB where it is bytes that count. */
export async function benchMicro(count: number): Promise<void> {
  const tensors = new Map<string, Tensor>();
  for (let index = 0; index < count; index++) {
    tensors.set(`layers.${index}.weight`, { dtype: 'F32', shape: [64], data: new Float32Array(64) });
  }
  const root = mkdtempSync(join(tmpdir(), 'snapshard-micro-'));
  const writer = await CheckpointWriter.open(root, { stagingBytes: 128 * MiB });
  try {
    const published = await writer.save({ step: 0, tensors });
    const bytes = byteSteps(writer);
    const steps = [...bytes.steps, ...planSteps(tensors), ...(await parseSteps(published))];
    process.stdout.write(`${await time(steps)}\n${count} tensors\n`);
    bytes.lease.dispose();
  } finally {
    await writer.close({ abort: true });
    rmSync(root, { recursive: true });
  }
}

async function time(steps: readonly Step[]): Promise<string> {
  const bench = new Bench({ time: 1000, warmupTime: 200 });
  for (const { name, run } of steps) {
    bench.add(name, async () => {
      const overriddenDuration = await run();
      return overriddenDuration === undefined ? undefined : { overriddenDuration };
    });
  }
  await bench.run();
  return report(bench, new Map(steps.map(({ name, bytes }) => [name, bytes])));
}

function report(bench: Bench, bytesOf: ReadonlyMap<string, number | undefined>): string {
  const table = new Table({
    head: ['step', 'median ms', 'p99 ms', 'GB/s', 'runs'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, result } of bench.tasks) {
    if (!('latency' in result)) throw new Error(`${name} did not complete: ${result.state}`);
    const { p50, p99, samplesCount } = result.latency;
    const bytes = bytesOf.get(name);
    const rate = bytes === undefined ? '' : (bytes / p50 / 1e6).toFixed(2);
    table.push([name, p50.toFixed(3), p99.toFixed(3), rate, samplesCount]);
  }
  return table.toString();
}
