import type { TransferRequest, TransferStart } from '../../lib/binding.js';
import type { DeadlineEvents } from '../../lib/save/deadline.js';
import { ModelTransfer, nativeError } from './model_transfer.js';
import { contentOf, nameContent, type Answer, type Operation } from './tree.js';

/** What a rank told its caller. */
export type Report =
  | { readonly kind: 'opened' | 'closed'; readonly nonces: readonly string[] }
  | {
      readonly kind: 'saved';
      readonly call: number;
      readonly step: number;
      readonly name: string;
      readonly digest: string;
    }
  | { readonly kind: 'failed'; readonly call: number; readonly step: number; readonly failure: FailureReport }
  | { readonly kind: 'not opened' | 'not closed'; readonly failure: FailureReport };

export interface FailureReport {
  readonly code: string;
  readonly ranks: readonly number[] | undefined;
  readonly message: string;
}

/** What can happen to a rank, seen from inside it. */
export type Input =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** Its shards are written and synced, or they are not, for this reason. */
  | { readonly kind: 'written'; readonly failure?: 'source-changed' | 'ENOSPC' }
  | { readonly kind: 'woken' }
  /** Time passes: until it is late for the meeting, or for the oldest save that is not over. */
  | { readonly kind: 'late' }
  /** The caller aborts the save that it waits for. */
  | { readonly kind: 'abort' };

export interface TimedInput {
  readonly input: Input;
  /** When it happens: what time stamps are made from. */
  readonly moment: number;
}

/** Where a rank stands, seen from outside. */
export interface View {
  /** What it has asked of the store and has no answer to; the store does it in this order. */
  readonly operations: readonly Operation[];
  /** The transfer that is writing shards. */
  readonly writing: string | undefined;
  readonly asleep: boolean;
  /** How often it can still become late. */
  readonly alarms: number;
  readonly saving: boolean;
  readonly reports: readonly Report[];
  readonly ended: boolean;
}

export interface Identity {
  /** Of all processes ever started, from 0. */
  readonly process: number;
  /** How far its clock is behind others, in moments. */
  readonly slow: number;
}

/** What a rank's process is to do. */
export type Program = (run: RankRun) => Promise<void>;

interface Asked {
  readonly operation: Operation;
  /** To see that they do not change before they are written. */
  readonly sources: readonly Uint8Array[];
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The meeting's deadline, on the model's clock. */
const patience_ms = 1e9;
/** Near, passed, and given up for dead. */
const alarmStages = 3;

/** One process of a rank: real code that runs when, and only when, something is fed to it. */
export class RankRun {
  static current: RankRun;
  readonly #identity: Identity;
  readonly #queue: Asked[] = [];
  readonly #sleepers: (() => void)[] = [];
  readonly #deadlines: ModelDeadline[] = [];
  readonly #transfers: ModelTransfer[] = [];
  readonly #nonces: string[] = [];
  readonly #reports: Report[] = [];
  #moment = 0;
  #now_ms = 0;
  #meeting = true;
  #ended = false;
  abortSave: (() => void) | undefined;

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  async start(program: Program, moment: number): Promise<View> {
    this.#moment = moment;
    RankRun.current = this;
    void program(this).then(() => {
      this.#ended = true;
    });
    return this.#settle();
  }

  async feed({ input, moment }: TimedInput): Promise<View> {
    this.#moment = moment;
    RankRun.current = this;
    this.#take(input);
    return this.#settle();
  }

  report(report: Report): void {
    if (report.kind === 'opened') this.#meeting = false;
    this.#reports.push(report);
  }

  get nonces(): readonly string[] {
    return [...this.#nonces];
  }

  /** Later ones are greater, as far as clocks agree. */
  newNonce(): string {
    const { process, slow } = this.#identity;
    const time = 16 + this.#moment - slow;
    const parts = [time, process, this.#nonces.length].map((part) => part.toString(16).padStart(2, '0'));
    const nonce = parts.join('');
    this.#nonces.push(nonce);
    return nonce;
  }

  now(): number {
    return this.#now_ms;
  }

  sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#sleepers.push(resolve);
    });
  }

  addDeadline(deadline: ModelDeadline): void {
    this.#deadlines.push(deadline);
  }

  ask<T>(operation: Operation, sources: readonly Uint8Array[] = []): Promise<T> {
    return new Promise<unknown>((resolve, reject) => {
      this.#queue.push({ operation, sources, resolve, reject });
    }) as Promise<T>;
  }

  get holder(): string {
    return `p${this.#identity.process}`;
  }

  startTransfer(request: TransferRequest): TransferStart {
    const handle = this.#transfers.length;
    const transfer = new ModelTransfer(handle, `${this.holder}t${handle}`, request);
    this.#transfers.push(transfer);
    return transfer.start;
  }

  transfer(handle: number): ModelTransfer {
    const transfer = this.#transfers[handle];
    if (transfer === undefined || transfer.ended) throw nativeError('closed');
    return transfer;
  }

  /** All that follows at once has happened when the next turn of the event loop comes. */
  async #settle(): Promise<View> {
    await new Promise((resolve) => setImmediate(resolve));
    return {
      operations: this.#queue.map(({ operation }) => operation),
      writing: this.#transfers.find((transfer) => transfer.writing)?.token,
      asleep: this.#sleepers.length > 0,
      alarms: this.#ended ? 0 : this.#alarms(),
      saving: this.abortSave !== undefined,
      reports: [...this.#reports],
      ended: this.#ended,
    };
  }

  #alarms(): number {
    const saves = this.#deadlines.reduce((sum, deadline) => sum + deadline.left, 0);
    return saves + (this.#meeting && this.#now_ms === 0 ? 1 : 0);
  }

  #take(input: Input): void {
    switch (input.kind) {
      case 'answer':
        this.#answer(input.answer);
        return;
      case 'written':
        this.#transfers.find((transfer) => transfer.writing)?.end(input.failure);
        return;
      case 'woken':
        this.#wake();
        return;
      case 'late':
        this.#beLate();
        return;
      case 'abort':
        this.abortSave?.();
    }
  }

  #answer(answer: Answer): void {
    const { operation, sources, resolve, reject } = this.#queue.shift()!;
    if (operation.call === 'writeFiles') {
      operation.files.forEach(({ content, path }, index) => {
        if (nameContent(sources[index]!) !== content) throw new Error(`${path} changed while it was being written`);
      });
    }
    if ('errno' in answer) reject(nativeError('system', answer.errno, 'path' in operation ? operation.path : ''));
    else if ('content' in answer) resolve(bytesFor(operation, answer.content));
    else resolve(answer.value === 'nothing' ? undefined : answer.value);
  }

  #wake(): void {
    for (const sleeper of this.#sleepers.splice(0)) sleeper();
  }

  #beLate(): void {
    if (this.#meeting) {
      this.#now_ms = 2 * patience_ms;
      this.#wake();
    } else this.#deadlines.find(({ left }) => left > 0)?.advance();
  }
}

function bytesFor(operation: Operation, content: string): Uint8Array {
  const bytes = Uint8Array.from(contentOf(content));
  return operation.call === 'readTail' ? bytes.subarray(-operation.maxBytes) : bytes;
}

/** Stands for lib/save/deadline.ts: passes when the model says so. */
export class ModelDeadline {
  readonly #events: DeadlineEvents;
  left = alarmStages;

  constructor(_left_ms: number, _margin_ms: number, events: DeadlineEvents) {
    this.#events = events;
    RankRun.current.addDeadline(this);
  }

  advance(): void {
    this.left -= 1;
    if (this.left === 2) this.#events.onNear();
    else if (this.left === 1) this.#events.onPassed();
    else this.#events.onDead();
  }

  clear(): void {
    this.left = 0;
  }
}
