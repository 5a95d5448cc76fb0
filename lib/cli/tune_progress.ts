import { SingleBar } from 'cli-progress';
import { timeIn } from '../bench/report/units.js';
import type { TuneTrial } from '../bench/tune_search.js';

/** Where there is no terminal, a line whenever the axis changes, and at least this often. */
const lineInterval_ms = 30_000;
const redraw_ms = 1000;

export interface TuneProgress {
  /** A trial begins. */
  readonly watch: (trial: TuneTrial) => void;
  /** The bar goes. */
  stop(): void;
}

/**
 * How far it has got, on standard error: a bar on a terminal, elsewhere a line now and then.
 * @param trials at most
 */
export function tuneProgress(trials: number, limitSeconds: number): TuneProgress {
  const started_ms = performance.now();
  const left = (trial: TuneTrial): string => leftText(trial, (performance.now() - started_ms) / 1000, limitSeconds);
  return process.stderr.isTTY ? bar(trials, left) : lines(left);
}

type Left = (trial: TuneTrial) => string;

function bar(trials: number, left: Left): TuneProgress {
  let last: TuneTrial | undefined;
  const meter = new SingleBar({
    format: 'save {value} of at most {total} [{bar}] {left}{what}',
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
  });
  const draw = (): void => {
    if (last === undefined) return;
    meter.setTotal(last.most);
    meter.update(last.done + 1, { left: left(last), what: whatText(last) });
  };
  meter.start(trials, 0, { left: '', what: 'warming up' });
  const redraw = setInterval(draw, redraw_ms).unref();
  return {
    watch: (trial) => {
      last = trial;
      draw();
    },
    stop: () => {
      clearInterval(redraw);
      meter.stop();
    },
  };
}

function lines(left: Left): TuneProgress {
  let axis = '';
  let last_ms = -Infinity;
  process.stderr.write('tune: warming up\n');
  return {
    watch: (trial) => {
      const now_ms = performance.now();
      const turns = trial.point.axis !== axis && trial.point.axis !== trial.point.label;
      if (!turns && now_ms - last_ms < lineInterval_ms) return;
      [axis, last_ms] = [turns ? trial.point.axis : axis, now_ms];
      process.stderr.write(`tune: save ${trial.done + 1} of at most ${trial.most}, ${left(trial)}${whatText(trial)}\n`);
    },
    stop: () => undefined,
  };
}

function whatText({ point }: TuneTrial): string {
  return point.axis === point.label ? point.label : `${point.axis} ${point.label}`;
}

/** At the pace so far; never more than the limit leaves. */
function leftText({ done, most }: TuneTrial, elapsedSeconds: number, limitSeconds: number): string {
  if (done === 0) return '';
  const seconds = Math.min((elapsedSeconds / done) * (most - done), limitSeconds - elapsedSeconds);
  const rounded = seconds < 120 ? Math.max(1, Math.round(seconds)) : Math.ceil(seconds / 60) * 60;
  return `${timeIn(rounded)} left: `;
}
