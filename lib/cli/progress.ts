import { SingleBar } from 'cli-progress';
import { sizeIn } from './text.js';

const lineInterval_ms = 5000;

interface Meter {
  update(bytes: number): void;
  stop(): void;
}

/** On a terminal a bar, elsewhere a line now and then: how far something has got, on standard error. */
export class Progress {
  readonly #meter: Meter;
  #bytes = 0;

  /** @param action what is going on, such as `verify` */
  constructor(action: string, totalBytes: number) {
    this.#meter = process.stderr.isTTY ? barMeter(action, totalBytes) : lineMeter(action, totalBytes);
  }

  /** @param bytes since it began */
  update(bytes: number): void {
    this.#bytes = bytes;
    this.#meter.update(bytes);
  }

  add(bytes: number): void {
    this.update(this.#bytes + bytes);
  }

  stop(): void {
    this.#meter.stop();
  }
}

function barMeter(action: string, totalBytes: number): Meter {
  const started_ms = performance.now();
  const bar = new SingleBar({
    format: `${action} [{bar}] {percentage} % of ${sizeIn(totalBytes)}, {rate}, {eta_formatted} left`,
    barsize: 32,
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(totalBytes, 0, { rate: rateText(0, 0) });
  return {
    update: (bytes) => {
      bar.update(bytes, { rate: rateText(bytes, performance.now() - started_ms) });
    },
    stop: () => {
      bar.stop();
    },
  };
}

function lineMeter(action: string, totalBytes: number): Meter {
  const started_ms = performance.now();
  let last_ms = started_ms;
  return {
    update: (bytes) => {
      const now_ms = performance.now();
      if (now_ms - last_ms < lineInterval_ms) return;
      last_ms = now_ms;
      const percentage = Math.floor((100 * bytes) / Math.max(1, totalBytes));
      process.stderr.write(
        `${action}: ${percentage} % of ${sizeIn(totalBytes)}, ${rateText(bytes, now_ms - started_ms)}\n`,
      );
    },
    stop: () => undefined,
  };
}

/** `1.92 GiB/s` */
export function rateText(bytes: number, elapsed_ms: number): string {
  return `${sizeIn(elapsed_ms > 0 ? Math.round((bytes * 1000) / elapsed_ms) : 0)}/s`;
}
