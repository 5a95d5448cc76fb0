import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { sizeIn } from '../cli/text.js';

export interface Machine {
  cpu: string;
  cores: number;
  memory: string;
  kernel: string;
  node: string;
  fileSystem: string;
  fio: string;
  gpu: string;
}

export function describeMachine(directory: string): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory: sizeIn(totalmem()),
    kernel: release(),
    node: process.version,
    fileSystem: output('findmnt', ['-n', '-o', 'FSTYPE', '-T', directory]),
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
