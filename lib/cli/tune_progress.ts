import { SingleBar } from 'cli-progress';
import type { TuneWatcher } from '../bench/tune.js';
import type { TuneTrial } from '../bench/tune_search.js';

/** Where there is no terminal, a line whenever the axis changes, and at least this often. */
const lineInterval_ms = 30_000;

export interface TuneProgress extends TuneWatcher {
  stop(): void;
}

/** How far it has got, on standard error: a bar on a terminal, elsewhere a line now and then. */
export function tuneProgress(limitSeconds: number): TuneProgress {
  return process.stderr.isTTY ? bar(limitSeconds) : lines(limitSeconds);
}

function bar(limitSeconds: number): TuneProgress {
  const started_ms = performance.now();
  const meter = new SingleBar({
    format: 'tune [{bar}] {value} of at most {total}, {left} left: {what}',
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 1,
  });
  meter.start(1, 0, { left: '…', what: 'warming up' });
  return {
    trial: (trial) => {
      meter.setTotal(trial.most);
      meter.update(trial.done, { left: leftText(trial, started_ms, limitSeconds), what: whatText(trial) });
    },
    wrote: () => undefined,
    ended: () => undefined,
    stop: () => {
      meter.stop();
    },
  };
}

function lines(limitSeconds: number): TuneProgress {
  const started_ms = performance.now();
  let axis = '';
  let last_ms = -Infinity;
  process.stderr.write('tune: warming up\n');
  return {
    trial: (trial) => {
      const now_ms = performance.now();
      if (trial.point.axis === axis && now_ms - last_ms < lineInterval_ms) return;
      if (trial.point.axis === 'defaults' && now_ms - last_ms < lineInterval_ms) return;
      [axis, last_ms] = [trial.point.axis, now_ms];
      const left = trial.done === 0 ? '' : `, ${leftText(trial, started_ms, limitSeconds)} left`;
      process.stderr.write(`tune: ${trial.done} of at most ${trial.most}${left}: ${whatText(trial)}\n`);
    },
    wrote: () => undefined,
    ended: () => undefined,
    stop: () => undefined,
  };
}

function whatText({ point }: TuneTrial): string {
  return point.axis === point.label ? point.label : `${point.axis} ${point.label}`;
}

/** At the pace so far; never more than the limit leaves. */
function leftText({ done, most }: TuneTrial, started_ms: number, limitSeconds: number): string {
  if (done === 0) return '…';
  const elapsed = (performance.now() - started_ms) / 1000;
  const left = Math.max(0, Math.min((elapsed / done) * (most - done), limitSeconds - elapsed));
  return left < 90 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`;
}
