import { fileURLToPath } from 'node:url';
import { runProgram } from '../support/child.js';
import { grown, measures } from './endurance/flat.js';
import type { Sample } from './endurance/samples.js';
import type { SoakClass, SoakTally } from './soak_class.js';

const program = fileURLToPath(new URL('children/endurance.ts', import.meta.url));

export interface EnduranceArgument {
  readonly folder: string;
  /** That are published. */
  readonly saves: number;
  readonly samples: number;
  readonly seed: number;
  /** The name of a leak on purpose. */
  readonly plant?: string;
}

export type EnduranceMessage = { readonly sample: Sample } | { readonly ends: SoakTally };

export interface EnduranceReport {
  readonly samples: readonly Sample[];
  /** How often each end of a save was seen, and what else went on. */
  readonly ends: SoakTally;
}

/** @throws where the process does not end as it should, or has grown */
export async function endure(argument: EnduranceArgument): Promise<EnduranceReport> {
  const timeoutMs = 120_000 + argument.saves * 1000;
  const { code, signal, messages, output } = await runProgram(program, argument, { timeoutMs });
  const all = messages as EnduranceMessage[];
  const samples = all.flatMap((message) => ('sample' in message ? [message.sample] : []));
  const ends = all.flatMap((message) => ('ends' in message ? [message.ends] : []))[0];
  if (code !== 0 || ends === undefined) throw new Error(`The process ended by ${signal ?? code} after ${samples.length} samples.\n${output}`);
  const growth = grown(samples);
  if (growth.length > 0) throw new Error(`${growth.join('; ')}\n${told(samples)}`);
  return { samples, ends };
}

/** The first, the middle and the last sample. */
export function told(samples: readonly Sample[]): string {
  const three = [samples[0]!, samples[Math.floor(samples.length / 2)]!, samples.at(-1)!];
  const lines = measures.map((measure) => `${measure}: ${three.map((sample) => sample[measure]).join(', ')}`);
  return [`after ${three.map(({ saves }) => saves).join(', ')} saves:`, ...lines].join('\n  ');
}

/** `SNAPSHARD_ENDURANCE_SAVES` tells how many saves, if not 10,000. */
const saves = Number(process.env.SNAPSHARD_ENDURANCE_SAVES ?? 10_000);

export const soak: SoakClass = {
  name: 'endurance',
  about: 'one process that saves, restores and removes many times: descriptors, threads, memory and disk stay flat',
  cases: { count: saves, called: 'saves' },
  whyNot: () => undefined,
  async trial(seed, folder) {
    const { samples, ends } = await endure({ folder, saves, samples: 100, seed });
    console.log(told(samples));
    return ends;
  },
};
