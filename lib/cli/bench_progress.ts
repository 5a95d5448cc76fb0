import { SingleBar } from 'cli-progress';
import type { Measured } from '../bench/measured.js';
import { gigabytesPerSecond } from '../bench/report/figures.js';
import { digits, timeIn } from '../bench/report/units.js';
import type { Watcher } from '../bench/rounds.js';
import { printable } from './text.js';

const redraw_ms = 500;
const barWidth = 24;
const nameWidth = 34;

interface Trial {
  readonly name: string;
  readonly bytes: number;
  began_ms: number;
  doneBytes: number;
}

type RowName = Parameters<Watcher['begins']>[0];

/** What a benchmark is doing, on standard error: a bar on a terminal, elsewhere a line for each trial. */
export class BenchProgress implements Watcher {
  readonly #totalBytes: number;
  readonly #guessedSeconds: number;
  readonly #rounds: { repeat: number; warmup: number };
  readonly #started_ms = performance.now();
  readonly #bar: SingleBar | undefined;
  readonly #redraw: NodeJS.Timeout | undefined;
  /** Of the trials that have ended. */
  #endedBytes = 0;
  #trial: Trial | undefined;

  /**
   * @param totalBytes of all trials
   * @param guessedSeconds how long all of it takes, until there is something to go by
   */
  constructor(totalBytes: number, guessedSeconds: number, rounds: { repeat: number; warmup: number }) {
    this.#totalBytes = Math.max(1, totalBytes);
    this.#guessedSeconds = guessedSeconds;
    this.#rounds = rounds;
    if (!process.stderr.isTTY) return;
    const format = `{name} [{bar}] {percentage} %, {rate}{left} left`;
    this.#bar = new SingleBar({ format, barsize: barWidth, hideCursor: true, clearOnComplete: true });
    this.#bar.start(this.#totalBytes, 0, this.#payload());
    this.#redraw = setInterval(() => {
      this.#draw();
    }, redraw_ms).unref();
  }

  begins({ label, phase }: RowName, round: number | undefined, bytes: number): void {
    this.#trial = { name: `${this.#roundText(round)}${phase}: ${label}`, bytes, began_ms: performance.now(), doneBytes: 0 };
    this.#draw();
  }

  progress(bytes: number): void {
    const trial = this.#trial;
    if (trial === undefined || bytes <= trial.doneBytes) return;
    // Making what is saved takes a while, and is no part of the rate.
    if (trial.doneBytes === 0) trial.began_ms = performance.now();
    trial.doneBytes = bytes;
  }

  ends(outcome: Measured | string): void {
    const trial = this.#trial;
    if (trial === undefined) return;
    this.#endedBytes += trial.bytes;
    this.#trial = undefined;
    if (this.#bar === undefined) this.#line(trial.name, outcome);
    else this.#draw();
  }

  /** The bar goes. */
  stop(): void {
    clearInterval(this.#redraw);
    this.#bar?.stop();
  }

  #line(name: string, outcome: Measured | string): void {
    const text = typeof outcome === 'string' ? outcome : `${digits(gigabytesPerSecond(outcome))} GB/s`;
    process.stderr.write(`${printable(`${name}: ${text}`)} (${this.#percentage()} %, ${this.#leftText()} left)\n`);
  }

  #draw(): void {
    this.#bar?.update(this.#doneBytes(), this.#payload());
  }

  #payload(): { name: string; rate: string; left: string } {
    const name = printable(this.#trial?.name ?? 'preparing');
    const cut = name.length > nameWidth ? `${name.slice(0, nameWidth - 1)}…` : name.padEnd(nameWidth);
    return { name: cut, rate: this.#rateText(), left: this.#leftText() };
  }

  #rateText(): string {
    const trial = this.#trial;
    if (trial === undefined || trial.doneBytes === 0) return '';
    const seconds = (performance.now() - trial.began_ms) / 1000;
    return seconds < redraw_ms / 1000 ? '' : `${digits(trial.doneBytes / seconds / 1e9)} GB/s, `;
  }

  #leftText(): string {
    const done = this.#doneBytes() / this.#totalBytes;
    const elapsed = (performance.now() - this.#started_ms) / 1000;
    // What was guessed counts as much as what was seen, until some of it was seen.
    const guessed = this.#guessedSeconds * (1 - done);
    const seen = done > 0 ? (elapsed / done) * (1 - done) : guessed;
    const trust = Math.min(1, 10 * done);
    return timeIn(Math.max(1, Math.round(trust * seen + (1 - trust) * guessed)));
  }

  #percentage(): number {
    return Math.floor((100 * this.#doneBytes()) / this.#totalBytes);
  }

  #doneBytes(): number {
    return Math.min(this.#totalBytes, this.#endedBytes + (this.#trial?.doneBytes ?? 0));
  }

  #roundText(round: number | undefined): string {
    if (round === undefined) return '';
    const { repeat, warmup } = this.#rounds;
    return round < 0 ? `warm-up ${round + warmup + 1}/${warmup} ` : `round ${round + 1}/${repeat} `;
  }
}
