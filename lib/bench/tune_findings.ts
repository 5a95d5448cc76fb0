/** What a search found, in sentences: the verdict first. */
import { count } from '../cli/text.js';
import type { MeasuredPoint } from './tune_points.js';
import { isGain, gainMin } from './tune_decide.js';
import type { Cells, Difference } from './tune_noise.js';
import type { AxisOutcome, Confirmation, SearchResult } from './tune_search.js';
import { writerCode } from './tune_space.js';
import { spread } from './statistics.js';

/** @param single axes that have but one value */
export function tuneFindings(result: SearchResult, repeat: number, single: readonly string[] = []): string[] {
  const { outcomes, skipped } = result;
  const alone = single.length === 0 ? [] : [`Not varied, since one value alone makes sense here: ${single.join(', ')}.`];
  const unseen = skipped.length === 0 ? [] : [`Not measured, since the time was up: ${skipped.join(', ')}. --within allows more time.`];
  return [...verdict(result, repeat), ...axisFindings(outcomes), ...noiseFinding(result, repeat), ...unseen, ...alone];
}

function verdict({ confirmation, outcomes, skipped, chosen }: SearchResult, repeat: number): string[] {
  if (outcomes.length === 0 && skipped.length === 0) return ['There is nothing to vary here: the defaults are right.'];
  if (outcomes.length === 0) return ['Nothing was measured in the time allowed: give more of it (--within), or fewer --bytes.'];
  if (confirmation === undefined) {
    const moved = outcomes.some(({ gain }) => gain !== 'none');
    if (moved) return ['Time was up before what looked better could be confirmed, so the defaults stay: give more of it (--within).'];
    const what = skipped.length === 0 ? 'nothing that was tried' : 'nothing of what was measured';
    return [`The defaults are right here: ${what} is better by more than the noise.`];
  }
  const tried = writerCode(confirmation.candidate.writer);
  const rounds = count(repeat, 'fresh round');
  if (Object.keys(chosen).length === 0) return [`The defaults are right here: ${tried} looked better, but ${rounds} did not confirm it.`];
  return [gainFinding(confirmation, rounds), costFinding(confirmation), ...spareFinding(confirmation)];
}

function gainFinding({ point, defaults, gain, noise }: Confirmation, rounds: string): string {
  const rate = noise.rate.difference(point.rate, defaults.rate);
  const what = gain === 'rate' ? timesText(rate) : 'as fast as';
  const cpu = noise.cpu.difference(defaults.cpu, point.cpu);
  const saved = gain === 'rate' ? '' : `, and takes ${percent(1 - Math.exp(-cpu.value))} less processor time`;
  const rates = `${figure(point.rate, 1e-9)} against ${figure(defaults.rate, 1e-9)} GB/s`;
  return `With ${writerCode(point.writer)} a save is ${what} with the defaults${saved}: ${rates}, medians of ${rounds}.`;
}

/** What the gain costs, or saves besides. */
function costFinding({ point, defaults }: Confirmation): string {
  const pause = `its pause is ${figure(point.pause, 1000)} ms against ${figure(defaults.pause, 1000)}`;
  return `There, ${pause}, and it takes ${figure(point.cpu, 2 ** 30)} processor seconds per GiB against ${figure(defaults.cpu, 2 ** 30)}.`;
}

function spareFinding({ point, candidate }: Confirmation): string[] {
  const names = Object.keys(candidate.writer).filter((name) => !(name in point.writer));
  return names.length === 0 ? [] : [`${names.join(', ')}: looked better by itself, but adds nothing to the rest.`];
}

/** Those along which nothing differs are told together. */
function axisFindings(outcomes: readonly AxisOutcome[]): string[] {
  const flat = outcomes.filter((outcome) => outcome.gain === 'none' && slowerThanChosen(outcome).length === 0);
  const names = flat.map(({ axis, point }) => `${axis} (${point.label})`).join(', ');
  const rest = outcomes.filter((outcome) => !flat.includes(outcome)).map(axisFinding);
  return names === '' ? rest : [...rest, `No value differs by more than the noise from what stays: ${names}.`];
}

function slowerThanChosen({ points, point, noise }: AxisOutcome): MeasuredPoint[] {
  return points.filter((other) => isGain(noise.rate.difference(point.rate, other.rate), gainMin.rate));
}

function axisFinding(outcome: AxisOutcome): string {
  const { axis, incumbent, point, gain, noise } = outcome;
  const ratio = (other: MeasuredPoint): string => `${other.label} (${times(-noise.rate.difference(point.rate, other.rate).value)})`;
  const slower = slowerThanChosen(outcome).filter((other) => other !== incumbent).map(ratio);
  const loss = slower.length === 0 ? '' : ` Slower: ${slower.join(', ')}.`;
  if (gain === 'none') return `${axis}: nothing is better than ${point.label} by more than the noise.${loss}`;
  if (gain === 'cpu') {
    const saved = noise.cpu.difference(incumbent.cpu, point.cpu);
    return `${axis}: in its rounds ${point.label} was as fast as ${incumbent.label}, and took ${percent(1 - Math.exp(-saved.value))} less processor time.${loss}`;
  }
  const rate = noise.rate.difference(point.rate, incumbent.rate);
  return `${axis}: in its rounds ${point.label} was ${timesText(rate)} ${incumbent.label}; of the best values it is the cheapest.${loss}`;
}

function noiseFinding({ noise, outcomes }: SearchResult, repeat: number): string[] {
  const { deviation } = noise.rate;
  const last = outcomes.at(-1);
  if (!Number.isFinite(deviation) || last === undefined) return [];
  const { margin } = noise.rate.difference(last.point.rate, last.incumbent.rate);
  const rounds = count(repeat, 'round');
  return [
    `Noise: one save differs from the next by ${percent(Math.expm1(deviation))}, so that with ${rounds} a value must be ` +
      `${Math.exp(Math.max(margin, Math.log1p(gainMin.rate))).toFixed(2)} times as fast to count. More rounds (--repeat) see less.`,
  ];
}

/** `1.42 times as fast as` */
function timesText({ value }: Difference): string {
  return `${Math.exp(value).toFixed(2)} times as fast as`;
}

function times(value: number): string {
  return `${Math.exp(value).toFixed(2)} x`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

/** The median, of what the cells hold the logarithm of. */
function figure(cells: Cells, factor: number): string {
  const value = spread([...cells.values()].map((cell) => Math.exp(cell) * factor))?.median ?? 0;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
