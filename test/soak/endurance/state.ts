import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileSource, type CheckpointWriter, type Lease, type TensorInput } from 'snapshard';
import { KiB, MiB } from '../../support/bytes.js';
import type { Dice } from '../misuse/dice.js';

/** One save in so many is of as many bytes as pass through the pool several times. */
const largeEvery = 64;
export const largeBytes = 48 * MiB;

/** What saves read, made once: what is made anew for one save is made of the dice. */
export class State {
  readonly #large = new Uint8Array(largeBytes).fill(7);
  readonly #weights = new Float32Array((512 * KiB) / 4).fill(0.5);
  readonly #shared = new SharedArrayBuffer(96 * KiB);
  readonly #path: string;
  readonly #fileBytes = 300 * KiB;

  constructor(scratch: string) {
    this.#path = join(scratch, 'source');
    writeFileSync(this.#path, new Uint8Array(this.#fileBytes).fill(9));
  }

  /** Leases among them are disposed of, or dropped, by the caller: both must do. */
  tensors(dice: Dice, writer: CheckpointWriter, leases: Lease[]): Record<string, TensorInput> {
    const fresh = new Uint8Array(dice.below(200_000)).fill(dice.below(256));
    const parts = [fresh.subarray(0, 1000), fresh.subarray(1000)];
    const tensors: Record<string, unknown> = { weights: this.#weights, fresh };
    const more: (() => void)[] = [
      () => { tensors.large = this.#large; },
      () => { tensors.shared = { dtype: 'U8', shape: [this.#shared.byteLength], data: this.#shared, group: 'optimizer' }; },
      () => { tensors.file = { dtype: 'U8', shape: [this.#fileBytes], data: this.#source(dice) }; },
      () => { tensors.lease = this.#lease(dice, writer, leases); },
      () => { tensors.parts = { dtype: 'U8', shape: [fresh.length], data: parts }; },
      () => { tensors.resizable = new Uint8Array(new ArrayBuffer(64 * KiB, { maxByteLength: 128 * KiB })); },
      () => { for (let index = dice.below(60); index > 0; index -= 1) tensors[`scalar ${index}`] = new Float64Array(1); },
    ];
    const [large, ...small] = more;
    if (dice.below(largeEvery) === 0) large!();
    for (const add of small) if (dice.chance(0.3)) add();
    return tensors as Record<string, TensorInput>;
  }

  #source(dice: Dice): unknown {
    if (dice.chance(0.5)) return fileSource({ path: this.#path, bytes: this.#fileBytes });
    const fd = openSync(this.#path, 'r');
    const source = fileSource({ fd, bytes: this.#fileBytes });
    setImmediate(() => { closeSync(fd); });
    return source;
  }

  #lease(dice: Dice, writer: CheckpointWriter, leases: Lease[]): unknown {
    const bytes = dice.pick([4096, 70_000, MiB]);
    const lease = writer.allocate(bytes);
    leases.push(lease);
    return { dtype: 'U8', shape: [bytes], data: dice.chance(0.5) ? lease : new Uint8Array(lease.buffer) };
  }
}
