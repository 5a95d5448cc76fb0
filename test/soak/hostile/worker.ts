import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HostileArgument, HostileMessage } from '../children/hostile.js';

export interface WorkerReport {
  readonly ends: ReadonlyMap<string, number>;
}

const program = fileURLToPath(new URL('../children/hostile.ts', import.meta.url));

/**
 * Runs the operations in a process of their own, so that a crash is a finding.
 * @param launcher a command that it runs under
 */
export async function runWorker(argument: HostileArgument, launcher: readonly string[]): Promise<WorkerReport> {
  const [execPath, ...words] = [...launcher, process.execPath];
  const execArgv = [...words, '--import', 'tsx'];
  const timeout = argument.deadline_ms * 5;
  const child = fork(program, [JSON.stringify(argument)], { execPath, execArgv, silent: true, timeout, killSignal: 'SIGKILL' });
  let output = '';
  let message: HostileMessage | undefined;
  const keep = (text: Buffer): void => {
    output = (output + text.toString()).slice(-20_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.on('message', (received) => {
    message = received as HostileMessage;
  });
  const how = await new Promise<string>((resolve) => {
    child.on('close', (code, signal) => {
      resolve(signal ?? `code ${code}`);
    });
  });
  const findings = [...(message?.findings ?? [`the process ended by ${how}`])];
  if (how !== 'code 0' && message !== undefined) findings.push(`the process ended by ${how}`);
  if (findings.length > 0) throw new Error(`${findings.join('\n')}\n${output}`);
  return { ends: new Map(message?.ends) };
}
