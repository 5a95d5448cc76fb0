/** What else is worth knowing of a target. */
import { medianOf, ownRow, rateOf } from './finding_facts.js';
import type { Finding } from './findings.js';
import { gigabytesPerSecond } from './report/figures.js';
import { rankSpreads } from './report/rank_spread.js';
import { digits, shareIn, shortSize, timeIn } from './report/units.js';
import { spread } from './statistics.js';

const cachedShareMax = 0.05;
/** Of what a lone save gets. */
const sustainedShareMin = 0.85;
const ranksRatioMax = 1.15;
const steadyRatioMax = 1.6;
const steadySamplesMin = 3;
/** Of a save, that training stands still. */
const pauseShareMin = 0.4;
/** Of a rank's bytes, staging memory of which holds up nobody for long. */
const fitsShare = 0.8;

export const coldFinding: Finding = (result) => {
  const row = ownRow(result, 'restore cold');
  const share = row && medianOf(row, ({ cachedBytes, bytes }) => cachedBytes === undefined ? undefined : cachedBytes / Math.max(1, bytes));
  if (share === undefined || share <= cachedShareMax) return undefined;
  return (
    `Cold restores were not cold: ${shareIn(Math.min(1, share))} of the files stayed in the page cache (on a file system in ` +
    `memory they always do); take them for warm ones.`
  );
};

export const burstFinding: Finding = (result) => {
  const { intervalSeconds } = result.settings;
  const scheduled = result.rows.find(({ id, samples }) => id === 'snapshard-scheduled' && samples.length > 0);
  const alone = ownRow(result, 'save');
  if (scheduled === undefined || alone === undefined || intervalSeconds === undefined) return undefined;
  const [burst, sustained] = [rateOf(alone), rateOf(scheduled)];
  const late = scheduled.samples.filter(({ seconds }) => seconds > intervalSeconds).length;
  if (intervalSeconds > 0 && late > 0) {
    return (
      `${late} of ${scheduled.samples.length} saves took longer than the interval of ${timeIn(intervalSeconds)}: the target ` +
      `sustains ${digits(sustained)} GB/s; save less often, or keep fewer bytes in a checkpoint.`
    );
  }
  if (sustained >= burst * sustainedShareMin) return undefined;
  return (
    `A burst hides the rate that lasts: a save after a rest gets ${digits(burst)} GB/s, on the schedule it gets ` +
    `${digits(sustained)} GB/s; plan with the latter.`
  );
};

export const ranksFinding: Finding = (result) => {
  const worst = rankSpreads({ ...result, findings: [] }).find(({ row }) => row.id === 'snapshard' && row.phase === 'save');
  if (worst === undefined || worst.fastest <= worst.slowest * ranksRatioMax) return undefined;
  const { slowest, fastest, slowestRank, slowestRounds, rounds } = worst;
  return (
    `Ranks wait for the slowest: ${digits(slowest)} GB/s against ${digits(fastest)} GB/s of the fastest, rank ${slowestRank} in ` +
    `${slowestRounds} of ${rounds} rounds; shares of equal size, and a core for each stager thread, even that out.`
  );
};

export const steadyFinding: Finding = (result) => {
  const row = ownRow(result, 'save');
  const rates = row && spread(row.samples.map(gigabytesPerSecond));
  if (rates === undefined || rates.count < steadySamplesMin || rates.max <= rates.min * steadyRatioMax) return undefined;
  return (
    `The target is not steady: equal saves got ${digits(rates.min)} to ${digits(rates.max)} GB/s, as shared disks, burst credits and ` +
    `write caches do; judge by ratios within a round, and give it more --rest and --repeat.`
  );
};

export const pauseFinding: Finding = (result) => {
  const row = ownRow(result, 'save');
  const stagingBytes = Number(result.settings.writer.stagingBytes);
  const pause = row && medianOf(row, ({ pauseSeconds }) => pauseSeconds);
  const share = row && medianOf(row, ({ pauseSeconds, seconds }) => pauseSeconds === undefined ? undefined : pauseSeconds / seconds);
  const rankBytes = row && medianOf(row, ({ ranks }) => Math.max(...ranks.map(({ bytes }) => bytes)));
  if (pause === undefined || share === undefined || rankBytes === undefined) return undefined;
  if (share < pauseShareMin || !(stagingBytes < rankBytes * fitsShare)) return undefined;
  return (
    `Training stands still for ${timeIn(pause)} of a save, since ${shortSize(rankBytes)} do not fit in ${shortSize(stagingBytes)} of ` +
    `staging memory: where there is more, --staging shortens it, down to the time that copying them takes.`
  );
};

export const rivalFinding: Finding = (result) => {
  const own = ownRow(result, 'save');
  const rivals = result.rows.filter(({ kind, phase, samples }) => kind === 'rival' && phase === 'save' && samples.length > 0);
  const fastest = rivals.toSorted((left, right) => rateOf(right) - rateOf(left)).at(0);
  if (own === undefined || fastest === undefined) return undefined;
  const ratio = rateOf(own) / rateOf(fastest);
  return `Of the others, ${fastest.label} is the fastest: ${digits(rateOf(fastest))} GB/s, ${digits(1 / ratio)} of what snapshard gets.`;
};
