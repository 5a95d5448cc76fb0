import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What it sent. */
  messages: unknown[];
  output: string;
}

export interface ChildOptions {
  /** Descriptors that it may have open. */
  descriptorsMax?: number;
  /** After which it is killed. */
  timeoutMs?: number;
  /** More of the environment. */
  environment?: Readonly<Record<string, string>>;
}

/** Runs one of the programs in `children/`, so that a crash is a failed assertion and no dead runner. */
export function runChild(name: string, argument: unknown, options: ChildOptions = {}): Promise<ChildResult> {
  return runProgram(fileURLToPath(new URL(`children/${name}.ts`, import.meta.url)), argument, options);
}

/** As {@link runChild}, of a program anywhere. */
export async function runProgram(path: string, argument: unknown, options: ChildOptions = {}): Promise<ChildResult> {
  const flags = ['--import', 'tsx', '--expose-gc'];
  const { descriptorsMax, timeoutMs, environment } = options;
  const child = fork(path, [JSON.stringify(argument)], {
    ...(descriptorsMax === undefined
      ? { execArgv: flags }
      : { execPath: 'prlimit', execArgv: [`--nofile=${descriptorsMax}`, process.execPath, ...flags] }),
    silent: true,
    env: { ...process.env, ...environment },
    ...(timeoutMs !== undefined && { timeout: timeoutMs, killSignal: 'SIGKILL' }),
  });
  const messages: unknown[] = [];
  let output = '';
  const collect = (text: Buffer): void => {
    output += text.toString();
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  child.on('message', (message) => messages.push(message));
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      resolve({ code, signal, messages, output });
    });
  });
}

/** The argument that {@link runChild} gave. */
export function childArgument(): unknown {
  return JSON.parse(process.argv[2] ?? 'null');
}
