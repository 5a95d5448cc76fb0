import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What it sent. */
  messages: unknown[];
  output: string;
}

/** Runs one of the programs in `children/`, so that a crash is a failed assertion and no dead runner. */
export async function runChild(name: string, argument: unknown, flags: string[] = []): Promise<ChildResult> {
  const path = fileURLToPath(new URL(`children/${name}.ts`, import.meta.url));
  const child = fork(path, [JSON.stringify(argument)], { execArgv: ['--import', 'tsx', ...flags], silent: true });
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
