import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { diskFolder } from '../support/disk_folder.js';
import type { SoakClass, SoakTally } from './soak_class.js';

const seeds = 2 ** 32;

export interface Finding {
  readonly seed: number;
  readonly message: string;
  /** The command that runs this trial again. */
  readonly replay: string;
}

export interface ClassReport {
  readonly name: string;
  readonly about: string;
  /** Why it was left out. */
  readonly skipped?: string;
  trials: number;
  /** Of all trials, and what they are called. */
  cases: number;
  readonly called: string;
  seconds: number;
  readonly findings: Finding[];
  /** What the trials counted, added up. */
  readonly tally: Record<string, number>;
}

export interface SoakPlan {
  readonly classes: readonly SoakClass[];
  /** Of the first trial of each class; the next has the next. */
  readonly seed: number;
  /** After which no trial begins. */
  readonly seconds: number;
  /** Of each class, at most. */
  readonly trials: number;
  /** Whether to go on after a finding. */
  readonly keepGoing: boolean;
  readonly onFinding: (soak: SoakClass, finding: Finding) => void;
  readonly stopped: () => boolean;
}

function emptyReport(soak: SoakClass): ClassReport {
  const skipped = soak.whyNot();
  const { name, about, cases } = soak;
  const counts = { trials: 0, cases: 0, called: cases?.called ?? 'trials', seconds: 0, findings: [], tally: {} };
  return { name, about, ...(skipped !== undefined && { skipped }), ...counts };
}

function add(tally: Record<string, number>, more: SoakTally): void {
  for (const [what, count] of Object.entries(more)) tally[what] = (tally[what] ?? 0) + count;
}

async function runTrial(soak: SoakClass, seed: number, tally: Record<string, number>): Promise<Finding | undefined> {
  const folder = mkdtempSync(join(diskFolder(), `snapshard-soak-${soak.name}-`));
  try {
    add(tally, (await soak.trial(seed, folder)) ?? {});
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { seed, message, replay: `npm run soak -- --class ${soak.name} --seed ${seed} --trials 1` };
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Runs the classes so that each gets the same time; at least one trial of each. */
export async function runSoak(plan: SoakPlan): Promise<ClassReport[]> {
  const reports = new Map(plan.classes.map((soak) => [soak, emptyReport(soak)]));
  const able = plan.classes.filter((soak) => reports.get(soak)?.skipped === undefined);
  const started_ms = performance.now();
  const isOver = (report: ClassReport): boolean =>
    report.trials >= plan.trials ||
    (report.trials > 0 && performance.now() - started_ms >= plan.seconds * 1000);
  while (!plan.stopped()) {
    const due = able
      .map((soak) => ({ soak, report: reports.get(soak)! }))
      .filter(({ report }) => !isOver(report))
      .sort((left, right) => left.report.seconds - right.report.seconds)[0];
    if (due === undefined) break;
    const { soak, report } = due;
    const begun_ms = performance.now();
    const finding = await runTrial(soak, (plan.seed + report.trials) % seeds, report.tally);
    report.seconds += (performance.now() - begun_ms) / 1000;
    report.trials += 1;
    report.cases += soak.cases?.count ?? 1;
    if (finding === undefined) continue;
    report.findings.push(finding);
    plan.onFinding(soak, finding);
    if (!plan.keepGoing) break;
  }
  return [...reports.values()];
}
