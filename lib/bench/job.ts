/** The training run that the figures are put to: a job that a user names, saving as the ranks here did. */
import type { Measured } from './measured.js';
import { meaningOf } from './meaning.js';
import type { Meaning, Row } from './result.js';
import { spread } from './statistics.js';

export interface JobSettings {
  /** Of the model and its optimizer, on all ranks of the job. */
  readonly stateBytes: number;
  readonly ranks: number;
  readonly stepSeconds?: number | undefined;
  /** Of the whole job. */
  readonly meanTimeBetweenFailuresSeconds: number;
}

/**
 * What the figures mean for a job, as long as each of its ranks gets what a rank got here: times grow with what a rank
 * saves. `undefined` where no save was measured. Where no restore was, one is taken to last as long as a save.
 * @param stagingBytes of a rank: what it saves beyond holds training up until the device has taken it
 */
export function jobMeaning(job: JobSettings, rows: readonly Row[], stagingBytes: number): Meaning | undefined {
  const save = ownSamples(rows, 'save');
  const restore = [ownSamples(rows, 'restore cold'), ownSamples(rows, 'restore warm'), save].find(({ length }) => length > 0);
  if (save.length === 0 || restore === undefined) return undefined;
  const perByte = (samples: readonly Measured[], seconds: (sample: Measured) => number): number =>
    spread(samples.map((sample) => (seconds(sample) * sample.ranks.length) / sample.bytes))!.median;
  const rankBytes = job.stateBytes / job.ranks;
  const { stepSeconds, ...rest } = job;
  const saveSeconds = rankBytes * perByte(save, (sample) => sample.seconds);
  const copied = rankBytes * perByte(save, (sample) => sample.pauseSeconds ?? sample.seconds);
  const waited = saveSeconds * Math.max(0, 1 - stagingBytes / rankBytes);
  return meaningOf({
    ...rest,
    ...(stepSeconds !== undefined && { stepSeconds }),
    pauseSeconds: Math.max(copied, waited),
    saveSeconds,
    restoreSeconds: rankBytes * perByte(restore, (sample) => sample.seconds),
  });
}

function ownSamples(rows: readonly Row[], phase: Row['phase']): readonly Measured[] {
  return rows.find((row) => row.id === 'snapshard' && row.phase === phase)?.samples ?? [];
}
