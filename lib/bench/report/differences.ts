/** Under which conditions two results were measured that are not the same. */
import { sizeIn } from '../../cli/text.js';
import type { BenchResult } from '../result.js';
import { timeIn } from './units.js';

export interface Difference {
  readonly condition: string;
  readonly left: string;
  readonly right: string;
}

const absent = 'none';

function flat({ machine, target, settings, workload, versions }: BenchResult): Map<string, string> {
  const { writer, intervalSeconds, repeat, warmup, restSeconds } = settings;
  return new Map([
    ['workload', workload.label],
    ['bytes', sizeIn(workload.bytes)],
    ['tensors', String(workload.tensors)],
    ['ranks', String(workload.ranks)],
    ['seed', String(workload.seed)],
    ['file system', target.fileSystem],
    ['mounted', target.source],
    ['device', target.device ?? absent],
    ['folder', target.path],
    ['kernel', machine.kernel],
    ['processor', machine.cpu],
    ['cores', String(machine.cores)],
    ['memory', sizeIn(machine.memoryBytes)],
    ...Object.entries(versions).map(([name, version]): [string, string] => [`version of ${name}`, version]),
    ...Object.entries(writer).map(([name, value]): [string, string] => [name, JSON.stringify(value)]),
    ['rounds', String(repeat)],
    ['warm-up', String(warmup)],
    ['rest', timeIn(restSeconds)],
    ['interval', intervalSeconds === undefined ? absent : timeIn(intervalSeconds)],
  ]);
}

/** Options that the other has as well say nothing. */
function mountDifference(left: readonly string[], right: readonly string[]): Difference[] {
  const only = (these: readonly string[], those: readonly string[]): string =>
    these.filter((option) => !those.includes(option)).join(',') || absent;
  const [leftOnly, rightOnly] = [only(left, right), only(right, left)];
  return leftOnly === rightOnly ? [] : [{ condition: 'mount options', left: leftOnly, right: rightOnly }];
}

export function differencesOf(left: BenchResult, right: BenchResult): Difference[] {
  const [ofLeft, ofRight] = [flat(left), flat(right)];
  const values = [...new Set([...ofLeft.keys(), ...ofRight.keys()])]
    .map((condition) => ({ condition, left: ofLeft.get(condition) ?? absent, right: ofRight.get(condition) ?? absent }))
    .filter((difference) => difference.left !== difference.right && difference.condition !== 'version of kernel');
  return [...values, ...mountDifference(left.target.mountOptions, right.target.mountOptions)];
}

/** Whether both saved as many bytes, of such tensors, by as many ranks: only then their figures compare. */
export function sameWorkload({ workload: left }: BenchResult, { workload: right }: BenchResult): boolean {
  const shape = ({ bytes, tensors, ranks, mix }: BenchResult['workload']): string =>
    JSON.stringify([
      bytes,
      tensors,
      ranks,
      mix.map((part) => [part.group, part.dtype, part.tensors, part.bytes]).sort(),
    ]);
  return shape(left) === shape(right);
}
