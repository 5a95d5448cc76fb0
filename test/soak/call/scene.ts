import assert from 'node:assert/strict';
import { cpSync, mkdirSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CheckpointOptions, CheckpointWriter, fileSource, listCheckpoints, openCheckpoint, type SaveRequest, type TensorInput, type WriterOptions } from 'snapshard';
import { checkCheckpoint } from '../../../examples/check.js';
import { bytesOf, KiB, MiB, randomBytes } from '../../support/bytes.js';
import { leftoversIn } from '../invariant.js';

export interface SceneOptions {
  readonly folder: string;
  readonly writer: WriterOptions;
  readonly direct: boolean;
}

const restoring = { stagingBytes: 4 * MiB, blockBytes: 2 * MiB };

/** What all trials of a process save, and where: small, and with every kind of source that the add-on reads itself. */
export class Scene {
  readonly folder: string;
  readonly writerOptions: WriterOptions;
  readonly restoring: CheckpointOptions;
  readonly #bytes: ReadonlyMap<string, Uint8Array>;
  readonly #file: string;
  readonly #descriptor: number;
  #roots = 0;

  constructor({ folder, writer, direct }: SceneOptions) {
    this.folder = folder;
    this.writerOptions = { stagingBytes: 4 * MiB, blockBytes: MiB, direct, ...writer };
    this.restoring = { ...restoring, direct, engine: writer.engine };
    this.#file = join(folder, 'source.bin');
    const file = randomBytes(96 * KiB);
    writeFileSync(this.#file, file);
    this.#descriptor = openSync(this.#file, 'r');
    const shared = new Uint8Array(new SharedArrayBuffer(100 * KiB + 1));
    shared.set(randomBytes(shared.length));
    this.#bytes = new Map<string, Uint8Array>([
      ['buffer', randomBytes(MiB + 300 * KiB + 5)],
      ['shared', shared],
      ['path', file.subarray(0, 50_000)],
      ['descriptor', file.subarray(7, 40_007)],
    ]);
  }

  /** An empty directory, or one that holds a copy of another. */
  newRoot(template?: string): string {
    const root = join(this.folder, `root-${this.#roots++}`);
    if (template === undefined) mkdirSync(root);
    else cpSync(template, root, { recursive: true });
    return root;
  }

  openWriter(root: string): Promise<CheckpointWriter> {
    return CheckpointWriter.open(root, this.writerOptions);
  }

  tensors(): Record<string, TensorInput> {
    const of = (name: string): Uint8Array => this.#bytes.get(name)!;
    const fromFile = (source: { path: string } | { fd: number }, name: string, offset: number): TensorInput => {
      const { length } = of(name);
      return { dtype: 'U8', shape: [length], data: fileSource({ ...source, offset, bytes: length }), group: 'other' };
    };
    return {
      buffer: of('buffer'),
      shared: of('shared'),
      path: fromFile({ path: this.#file }, 'path', 0),
      descriptor: fromFile({ fd: this.#descriptor }, 'descriptor', 7),
    };
  }

  get sourcePath(): string {
    return this.#file;
  }

  request(step: number, overwrite = false): SaveRequest & { tensors: Record<string, TensorInput> } {
    return { step, tensors: this.tensors(), overwrite, files: { note: 'beside the tensors' } };
  }

  get names(): readonly string[] {
    return [...this.#bytes.keys()];
  }

  expectBytes(name: string, read: ArrayBufferView): void {
    const same = Buffer.compare(bytesOf(read), bytesOf(this.#bytes.get(name)!)) === 0;
    assert(same, `${name} holds other bytes than were saved.`);
  }

  /** Every byte is as it was saved, by the library and by a checker that shares no code with it. */
  async expectSaved(path: string): Promise<void> {
    const checkpoint = await openCheckpoint(path, this.restoring);
    try {
      for (const name of this.names) this.expectBytes(name, (await checkpoint.read(name)).data);
    } finally {
      await checkpoint.close();
    }
    await checkCheckpoint(path);
  }

  /** Nothing but these steps is listed, and they are whole. */
  async expectSteps(root: string, steps: readonly number[]): Promise<void> {
    const listed = await listCheckpoints(root);
    assert.deepEqual(listed.map(({ step, damaged }) => [step, damaged]), steps.map((step) => [step, undefined]));
    for (const { path } of listed) await checkCheckpoint(path);
  }

  /** What could not be removed, the next writer removes. */
  async expectSwept(root: string): Promise<void> {
    if (leftoversIn(root).length === 0) return;
    const writer = await this.openWriter(root);
    assert.deepEqual(leftoversIn(root), [], 'The next writer did not remove what was left.');
    await writer.close();
  }

  remove(root: string): void {
    rmSync(root, { recursive: true, force: true });
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
