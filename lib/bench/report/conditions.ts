/** What was measured, where, and how: the head of every report. */
import { count, printable, sizeIn, timeText } from '../../cli/text.js';
import type { BenchResult, TuneResult } from '../result.js';
import { timeIn } from './units.js';

export type Fact = readonly [key: string, value: readonly string[]];

/** `blockBytes 4 MiB, queueDepth 16`; nothing for no options. */
export function optionsText(writer: Readonly<Record<string, unknown>>): string {
  return Object.entries(writer)
    .map(
      ([name, value]) =>
        `${name} ${name.endsWith('Bytes') && typeof value === 'number' ? sizeIn(value) : String(value)}`,
    )
    .join(', ');
}

function workloadFact({ workload }: BenchResult | TuneResult): Fact {
  const { label, bytes, tensors, ranks, seed } = workload;
  return ['what', [label, `${sizeIn(bytes)} in ${count(tensors, 'tensor')}, ${count(ranks, 'rank')}, seed ${seed}`]];
}

function targetFacts({ target }: BenchResult | TuneResult): Fact[] {
  const { path, fileSystem, source, mountOptions, device, totalBytes, freeBytes } = target;
  return [
    ['where', [path, `${fileSystem} on ${source} (${mountOptions.join(',')})`]],
    ['device', [...(device === undefined ? [] : [device]), `${sizeIn(freeBytes)} of ${sizeIn(totalBytes)} free`]],
  ];
}

function machineFacts({ machine, versions }: BenchResult | TuneResult): Fact[] {
  const { cpu, cores, memoryBytes, kernel } = machine;
  const others = Object.entries(versions).filter(([name]) => name !== 'kernel');
  return [
    ['machine', [`${cpu}, ${count(cores, 'core')}, ${sizeIn(memoryBytes)}, Linux ${kernel}`]],
    ['versions', [others.map(([name, version]) => `${name} ${version}`).join(', ')]],
  ];
}

function settingsText({ format, settings }: BenchResult | TuneResult): string {
  const rounds = count(settings.repeat, 'round');
  const rest = `${timeIn(settings.restSeconds)} of rest before each trial`;
  if (format === 'snapshard-tune-1') return `${rounds}, ${rest}`;
  const interval = settings.intervalSeconds === undefined ? [] : [`a save every ${timeIn(settings.intervalSeconds)}`];
  return [rounds, `${settings.warmup} to warm up, not counted`, rest, ...interval].join(', ');
}

/** Control characters are escaped: names of paths, devices and file systems are not ours. */
export function conditionFacts(result: BenchResult | TuneResult): Fact[] {
  const options = result.format === 'snapshard-bench-1' ? optionsText(result.settings.writer) : '';
  const facts: Fact[] = [
    workloadFact(result),
    ...targetFacts(result),
    ...machineFacts(result),
    ['run', [`${timeText(new Date(result.createdAt))} UTC, ${settingsText(result)}`]],
    ['command', [result.command.join(' ')]],
    ...(options === '' ? [] : [['options', [options]] as const]),
  ];
  return facts.map(([key, value]) => [key, value.map(printable)]);
}
