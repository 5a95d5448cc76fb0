import { execFileSync } from 'node:child_process';
import { sizeIn } from '../lib/cli/text.js';
import { describeMachine, versions } from '../lib/bench/machine.js';
import { describeTarget } from '../lib/bench/target.js';

/** What the figures depend on besides the code. */
export interface Conditions {
  cpu: string;
  cores: number;
  memory: string;
  kernel: string;
  node: string;
  fileSystem: string;
  fio: string;
  gpu: string;
}

export async function describeConditions(directory: string): Promise<Conditions> {
  const { cpu, cores, memoryBytes, kernel } = describeMachine();
  const { fileSystem, device } = await describeTarget(directory);
  return {
    cpu,
    cores,
    memory: sizeIn(memoryBytes),
    kernel,
    node: versions().node!,
    fileSystem: device === undefined ? fileSystem : `${fileSystem} on ${device}`,
    fio: output('fio', ['--version']),
    gpu: output('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader']),
  };
}

function output(command: string, options: string[]): string {
  try {
    const text = execFileSync(command, options, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.trim().replaceAll('\n', '; ');
  } catch {
    return 'none';
  }
}
