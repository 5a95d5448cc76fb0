import type { Place } from '../lib/bench/place.js';
import type { Round } from './rows.js';
import type { TrialKind } from './trials.js';
import { GiB } from './units.js';

/** Runs the trials one after the other, and all of them again, `pairs` times: what is compared alternates. */
export async function runRounds<Name extends string>(
  kinds: Readonly<Record<Name, TrialKind>>,
  names: readonly Name[],
  pairs: number,
  bytes: number,
  place: Place,
  signal: AbortSignal,
): Promise<Round<Name>[]> {
  const rounds: Round<Name>[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    const round: Round<Name> = {};
    for (const name of names) {
      signal.throwIfAborted();
      const sample = await kinds[name].run(place, bytes, signal);
      round[name] = sample;
      const rate = (sample.bytes / sample.seconds / 1e9).toFixed(2);
      const cpu = (sample.cpuSeconds / (sample.bytes / GiB)).toFixed(3);
      process.stderr.write(
        `${pair}/${pairs}  ${name.padEnd(24)} ${rate.padStart(6)} GB/s  ${cpu} CPU s/GiB  ${sample.how}\n`,
      );
    }
    rounds.push(round);
  }
  return rounds;
}
