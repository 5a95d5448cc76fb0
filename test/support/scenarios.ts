import { childArgument } from './child.js';

/** What each scenario of a program is given. */
export interface ScenarioArgument {
  readonly scenario: string;
  /** An empty directory to save in. */
  readonly root: string;
  readonly [more: string]: unknown;
}

export type Scenario = (argument: ScenarioArgument) => Promise<unknown>;

/** Runs the scenario that the argument names, sends what it returns, and lets the process end. */
export async function runScenario(scenarios: Readonly<Record<string, Scenario>>): Promise<void> {
  const argument = childArgument() as ScenarioArgument;
  const scenario = scenarios[argument.scenario];
  if (scenario === undefined) throw new Error(`there is no scenario ${argument.scenario}`);
  const result = await scenario(argument);
  process.send?.(result ?? 'done');
  process.disconnect();
}

/** Collects garbage, and lets what waited for that run. */
export async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** What is told of an error. */
export function told(error: unknown): { code: string; errno?: string; syscall?: string; message: string } {
  const { code, errno, syscall, message } = error as Record<string, string>;
  return {
    code: code ?? 'none',
    ...(errno !== undefined && { errno }),
    ...(syscall !== undefined && { syscall }),
    message: message ?? String(error),
  };
}

/** What a call throws or rejects with. */
export async function failureOf(call: () => unknown): Promise<ReturnType<typeof told> | 'none'> {
  try {
    await call();
    return 'none';
  } catch (error) {
    return told(error);
  }
}
