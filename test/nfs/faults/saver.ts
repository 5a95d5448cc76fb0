import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { MiB } from '../../support/bytes.js';
import { OrderedProcess, type Answer, type Failed } from '../ordered_process.js';

const program = fileURLToPath(new URL('saver.mjs', import.meta.url));

export interface Saved {
  readonly path: string;
  readonly digest: string;
  readonly direct: string;
}

export interface Listed {
  readonly step: number;
  readonly generation: number;
  readonly damaged: string | undefined;
  readonly path: string;
}

/** What a saver tells of a save or a read while it is at it. */
export interface Told {
  readonly phase?: string;
  readonly share: number;
}

/** What a save has beside its bytes. */
export interface SaveOrder {
  readonly step: number;
  readonly bytes?: number;
  readonly overwrite?: boolean;
}

export interface OpenOrder {
  readonly deadlineMs?: number;
  readonly direct?: boolean;
  readonly engine?: string;
}

type OnTold = (told: Told) => void;

/** A process on a client: only it touches the mount, so that a mount that hangs holds up nobody else. */
export class Saver extends OrderedProcess {
  constructor() {
    super(program);
  }

  open(root: string, options: OpenOrder = {}): Promise<Answer<object>> {
    return this.ask('open', { root, ...options });
  }

  save({ bytes = 32 * MiB, ...order }: SaveOrder, onTold?: OnTold): Promise<Answer<Saved>> {
    return this.ask('save', { bytes, ...order }, onTold as (told: unknown) => void);
  }

  openCheckpoint(path: string): Promise<Answer<object>> {
    return this.ask('openCheckpoint', { path });
  }

  /** @param timeoutMs after which the read is aborted */
  read(onTold?: OnTold, timeoutMs?: number): Promise<Answer<{ readonly bytes: number }>> {
    return this.ask('read', { timeoutMs }, onTold as (told: unknown) => void);
  }

  verify(): Promise<Answer<{ readonly damaged: readonly unknown[]; readonly hasDigests: boolean }>> {
    return this.ask('verify', {});
  }

  closeCheckpoint(): Promise<Answer<object>> {
    return this.ask('closeCheckpoint', {});
  }

  latest(root: string): Promise<Answer<{ readonly step: number; readonly passedOver: readonly unknown[] }>> {
    return this.ask('latest', { root });
  }

  list(root: string): Promise<Answer<readonly Listed[]>> {
    return this.ask('list', { root });
  }

  remove(root: string, step: number): Promise<Answer<object>> {
    return this.ask('remove', { root, step });
  }

  close(): Promise<Answer<object>> {
    return this.ask('close', {});
  }
}

/** What came of it, which must be no error. */
export function resultOf<T>({ result, error }: Answer<T>): T {
  if (error !== undefined) throw new Error(`${error.code} (${error.errno ?? ''}): ${error.message}`);
  return result!;
}

/** The error that came of it, with one of these codes. */
export function errorOf({ error, result }: Answer<unknown>, ...codes: string[]): Failed {
  assert.notEqual(error, undefined, `No error, but ${JSON.stringify(result)}.`);
  const known = codes.map((code) => `ERR_SNAPSHARD_${code}`);
  assert(known.includes(error!.code), `${error!.code} is none of ${codes.join(', ')}: ${error!.message}`);
  return error!;
}

/** Started once: in a guest that takes seconds. */
const idle: Saver[] = [];

/** Runs something with savers that nobody else uses; where it fails, they end. */
export async function withSavers<T>(count: number, work: (...savers: Saver[]) => Promise<T>): Promise<T> {
  const savers = Array.from({ length: count }, () => idle.pop() ?? new Saver());
  let well = false;
  try {
    const result = await work(...savers);
    for (const saver of savers) {
      resultOf(await saver.close());
      resultOf(await saver.closeCheckpoint());
    }
    well = true;
    return result;
  } finally {
    if (well) idle.push(...savers);
    else await Promise.all(savers.map((saver) => saver.kill()));
  }
}

export async function endIdleSavers(): Promise<void> {
  await Promise.all(idle.splice(0).map((saver) => saver.kill()));
}
