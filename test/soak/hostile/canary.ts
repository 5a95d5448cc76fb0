import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CheckpointWriter } from 'snapshard';

/** Nobody who works below a root may read this elsewhere. */
export const secret = 'canary: nobody below the root may read this. ';
export const tensorBytes = 300_000;

/** What all checkpoints hold: bytes of no secret. */
export const tensorsOf = (fill: string): Record<string, Uint8Array> => ({
  data: Buffer.alloc(tensorBytes, fill),
  small: Buffer.alloc(17, fill),
});

/** A folder that must stay as it is: a secret, and a checkpoint of secrets, of the same names as those of a root. */
export class Canary {
  /** Of the checkpoint; what links lead to. */
  readonly checkpoint: string;
  readonly #folder: string;
  readonly #before: readonly string[];

  private constructor(folder: string, checkpoint: string) {
    this.#folder = folder;
    this.checkpoint = checkpoint;
    this.#before = describeTree(folder);
  }

  static async make(folder: string): Promise<Canary> {
    mkdirSync(folder);
    writeFileSync(join(folder, 'secret.txt'), secret);
    const writer = await CheckpointWriter.open(folder, { stagingBytes: 2 ** 23 });
    const request = { step: 1, tensors: tensorsOf(secret), metadata: { secret }, files: { 'config.json': secret } };
    const { path } = await writer.save(request);
    await writer.close();
    return new Canary(folder, path);
  }

  /** Nothing was written, removed, made, or given other times or modes. */
  expectUntouched(): void {
    assert.deepEqual(describeTree(this.#folder), this.#before, 'Something outside the root was touched.');
  }
}

/** Every entry with all that writing, removing and changing modes or owners would change. */
export function describeTree(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return ['.', ...names].map((name) => {
    const path = join(folder, name);
    const { mode, uid, gid, ino, nlink, size, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true });
    return [name, mode, uid, gid, ino, nlink, size, mtimeNs, ctimeNs, contentsOf(path)].join(' ');
  });
}

function contentsOf(path: string): string {
  const information = lstatSync(path);
  if (information.isSymbolicLink()) return readlinkSync(path);
  return information.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : '';
}

/** Throws where bytes or text were read that are a secret's. */
export function expectNoSecret(found: Uint8Array | string, where: string): void {
  const bytes = Buffer.from(found as Uint8Array);
  assert(!bytes.includes(secret.slice(0, 12)), `${where} gave away what lies outside the root.`);
}
