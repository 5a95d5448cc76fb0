import { z } from 'zod';
import { SnapshardError } from '../errors.js';
import { listedBytesMax } from '../layout/fields.js';
import { metadataText, type Metadata } from '../layout/metadata.js';
import { validateSideFileName } from '../layout/names.js';
import { matching, validate } from '../options/validate.js';
import { requireStep } from '../store/arguments.js';
import { invalidArgument, quote } from '../tensor/describe.js';
import { visitEntries } from '../tensor/entries.js';
import type { Tensors } from '../tensor/tensor.js';
import { viewBuffer, viewClass, viewRange } from '../tensor/view.js';

/** Contents by name, each name once; text is UTF-8. */
export type SideFiles =
  | Readonly<Record<string, string | Uint8Array>>
  | ReadonlyMap<string, string | Uint8Array>
  | Iterable<readonly [string, string | Uint8Array]>;

/** What to save. */
export interface SaveRequest {
  /** An integer from 0 on. */
  step: number;
  tensors: Tensors;
  /** Facts about the checkpoint, kept in its manifest; whatever JSON holds. Read at the call. Of several ranks, rank 0's. */
  metadata?: Metadata | undefined;
  /**
   * Side files (configuration, tokenizer, loader state) by name, of at most 4 GiB each. Copied at the call. What several
   * ranks bring under one name must be equal.
   */
  files?: SideFiles | undefined;
  /** Replaces the step if it is published already. Default `false`: that is an error. Of several ranks, rank 0 decides. */
  overwrite?: boolean | undefined;
  /** Writes leases straight from their memory, which must not change until `staged`. Default `false`: copies them. */
  inPlace?: boolean | undefined;
  /**
   * Copies device memory within the device first, where there is room for it: `staged` then takes as long as that copy.
   * `deviceSnapshot` of what the save resolves to tells whether it was done. Default `false`.
   */
  deviceSnapshot?: boolean | undefined;
}

export interface SaveOptions {
  /**
   * Aborts the save, which then rejects with the signal's reason; once its manifest is being written, no more. If one of
   * several ranks aborts, the save fails on all.
   */
  signal?: AbortSignal | undefined;
  /**
   * Records what becomes of each block, and when: `trace` of what the save resolves to. It takes about 80
   * bytes a block. Of several ranks, each decides for itself. Default `false`.
   */
  trace?: boolean | undefined;
}

export interface CheckedSaveOptions {
  readonly signal: AbortSignal | undefined;
  readonly trace: boolean;
}

export interface SideFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** The small parts of a request, checked and copied; not the tensors, which nobody holds longer than needed. */
export interface CheckedRequest {
  readonly step: number;
  /** JSON text. */
  readonly metadata: string;
  readonly files: readonly SideFile[];
  readonly overwrite: boolean;
  readonly inPlace: boolean;
  readonly deviceSnapshot: boolean;
}

const requestSchema = z.strictObject({
  step: z.unknown().optional(),
  tensors: z.unknown().optional(),
  metadata: z.unknown().optional(),
  files: z.unknown().optional(),
  overwrite: z.boolean('a boolean').default(false),
  inPlace: z.boolean('a boolean').default(false),
  deviceSnapshot: z.boolean('a boolean').default(false),
});

const optionsSchema = z.strictObject({
  signal: matching<AbortSignal>((value) => value instanceof AbortSignal, 'an AbortSignal').optional(),
  trace: z.boolean('a boolean').default(false),
});

/** @throws {SnapshardError} `INVALID_ARGUMENT`, `INVALID_NAME`, `DUPLICATE_NAME`, `INVALID_METADATA`, `SOURCE_DETACHED` */
export function checkRequest(request: SaveRequest): CheckedRequest {
  const { overwrite, inPlace, deviceSnapshot } = validate(requestSchema, request, 'the request of save');
  const { step, metadata, files } = request;
  requireStep(step);
  const flags = { overwrite, inPlace, deviceSnapshot };
  return { step, metadata: metadataText(metadata), files: copySideFiles(files), ...flags };
}

/** @throws {SnapshardError} `ERR_SNAPSHARD_INVALID_ARGUMENT` */
export function checkSaveOptions(options: SaveOptions | undefined): CheckedSaveOptions {
  const { signal, trace } = validate(optionsSchema, options ?? {}, 'the options of save');
  return { signal, trace };
}

function copySideFiles(files: unknown): SideFile[] {
  if (files === undefined) return [];
  const copied = new Map<string, SideFile>();
  visitEntries(files, { argument: 'files', value: 'contents' }, (name, contents) => {
    validateSideFileName(name);
    if (copied.has(name)) {
      throw new SnapshardError('ERR_SNAPSHARD_DUPLICATE_NAME', `The side file ${quote(name)} is there twice.`);
    }
    copied.set(name, { name, contents: copyContents(name, contents) });
  });
  return [...copied.values()];
}

function copyContents(name: string, contents: unknown): Uint8Array {
  if (typeof contents === 'string') return encodeText(name, contents);
  if (ArrayBuffer.isView(contents) && viewClass(contents) === 'Uint8Array') return copyView(name, contents);
  throw invalidArgument(`\`files[${quote(name)}]\``, 'a string or a Uint8Array', contents);
}

function encodeText(name: string, text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const message = `The text of the side file ${quote(name)} has a lone surrogate, which UTF-8 cannot hold: pass its bytes.`;
  throw new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', message);
}

function copyView(name: string, view: ArrayBufferView): Uint8Array {
  const { offset, bytes } = viewRange(view) ?? { offset: 0, bytes: 0 };
  if (bytes > listedBytesMax) {
    const message = `The side file ${quote(name)} has ${bytes} bytes, and ${listedBytesMax} is the most: save it as a tensor.`;
    throw new SnapshardError('ERR_SNAPSHARD_INVALID_ARGUMENT', message);
  }
  try {
    return new Uint8Array(viewBuffer(view), offset, bytes).slice();
  } catch (cause) {
    const message = `The memory of the side file ${quote(name)} was taken away before \`save\` was called.`;
    throw new SnapshardError('ERR_SNAPSHARD_SOURCE_DETACHED', message, { cause });
  }
}
