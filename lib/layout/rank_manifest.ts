import type { TensorSpec } from '../tensor/tensor.js';
import { ChunkedJson, type JsonChunk, joinChunks } from './chunked_json.js';
import { digestBytes, digestDigits, formatVersion, rankManifestFormat } from './format.js';
import { type ListedFile, listed } from './manifest.js';
import type { Plan, PlannedFile } from './plan.js';
import { TimeSlices } from './time_slices.js';

/** What only this save knows of a rank manifest, and only when its transfer has finished. */
export interface RankResult {
  /** Nonce of the writer: lower-case letters and digits. */
  readonly writer: string;
  /** 16 bytes a slice and 16 bytes a file, in file order. */
  readonly sliceDigests: Uint8Array;
  readonly fileDigests: Uint8Array;
  readonly step: number;
  /** Nonce of the save, the same for all its ranks: lower-case letters and digits. */
  readonly save: string;
  readonly worldSize: number;
  /** Those that this rank brought. */
  readonly sideFiles: readonly ListedFile[];
  /** The file of this rank's chunk digests. */
  readonly digests: ListedFile;
}

const noDigest = '0'.repeat(digestDigits);
const hexadecimalDigits = new TextEncoder().encode('0123456789abcdef');
/** Behind the template, for what each save adds; grown where side files need more. */
const firstRoomBytes = 1024;
const entriesBetweenChecks = 256;
const digestsBetweenChecks = 4096;

/** Builds `files` and `tensors`, with zeros, marked, for the digest of each file, then of each slice. */
class TemplateBuilder {
  readonly #text = new ChunkedJson();
  readonly #slices = new TimeSlices();

  async build(plan: Plan): Promise<JsonChunk[]> {
    this.#text.json.raw(',"files":[');
    for (const [index, file] of plan.files.entries()) {
      this.#addFile(index, file);
      await this.#giveWay();
    }
    this.#text.json.raw('],"tensors":[');
    for (const [index, file] of plan.files.entries()) await this.#addTensors(plan, file, index);
    this.#text.json.raw(']');
    return this.#text.finish();
  }

  #addFile(index: number, { path, bytes, header, group }: PlannedFile): void {
    const { json } = this.#text;
    json.raw(index === 0 ? '{"name":' : ',{"name":').string(path);
    json.raw(',"bytes":').integer(bytes).raw(',"headerBytes":').integer(header.length).raw(',"group":').string(group);
    this.#endEntry();
  }

  async #addTensors(plan: Plan, { firstSlice, sliceCount }: PlannedFile, file: number): Promise<void> {
    for (let slice = firstSlice; slice < firstSlice + sliceCount; slice += 1) {
      const spec = plan.sliceSpecs[slice];
      if (spec !== undefined) this.#addTensor(slice, spec, file, plan.sliceOffsets[slice] ?? 0);
      if (slice % entriesBetweenChecks === 0) await this.#giveWay();
    }
  }

  #addTensor(slice: number, spec: TensorSpec, file: number, begin: number): void {
    const { json } = this.#text;
    json.raw(slice === 0 ? '{"name":' : ',{"name":').string(spec.name);
    json.raw(',"dtype":').string(spec.dtype).raw(',"globalShape":').integers(spec.globalShape);
    json.raw(',"origin":').integers(spec.origin).raw(',"shape":').integers(spec.shape);
    json.raw(',"file":').integer(file);
    json.raw(',"range":').integers([begin, begin + spec.bytes]);
    this.#endEntry();
  }

  #endEntry(): void {
    this.#text.json.raw(',"digest":"');
    this.#text.mark();
    this.#text.json.raw(noDigest).raw('"}');
    this.#text.endEntry();
  }

  async #giveWay(): Promise<void> {
    if (this.#slices.spent) await this.#slices.pause();
  }
}

/** The manifest of one writer and plan, but for its digests, and for its tail, which tells of one save. */
interface Template {
  readonly writer: string;
  /** The template, and room behind it. */
  bytes: Uint8Array;
  /** Of the template alone. */
  readonly length: number;
  /** Where the digest of each file belongs, then that of each slice. */
  readonly marks: Float64Array;
}

const templates = new WeakMap<Plan, { writer: string; template: Promise<Template> }>();

async function buildTemplate(plan: Plan, writer: string): Promise<Template> {
  const facts = { format: rankManifestFormat, version: formatVersion, rank: plan.rank, writer };
  const head = { bytes: new TextEncoder().encode(JSON.stringify(facts).slice(0, -1)), marks: [] };
  const chunks = await new TemplateBuilder().build(plan);
  const marks = new Float64Array(plan.files.length + plan.order.length);
  let marked = 0;
  const room = { bytes: new Uint8Array(firstRoomBytes), marks: [] };
  const bytes = await joinChunks([head, ...chunks, room], new TimeSlices(), (_target, position, chunk) => {
    for (const mark of chunk.marks) {
      marks[marked] = position + mark;
      marked += 1;
    }
  });
  return { writer, bytes, length: bytes.length - firstRoomBytes, marks };
}

/**
 * Builds all of the manifest but the digests, once for a plan and writer, giving way to the event loop: worth doing
 * while the bytes are on their way.
 */
export function rankTemplateOf(plan: Plan, writer: string): Promise<Template> {
  const kept = templates.get(plan);
  if (kept?.writer === writer) return kept.template;
  const template = buildTemplate(plan, writer);
  templates.set(plan, { writer, template });
  // A failure, for want of memory, is not kept: the next save may have more.
  template.catch(() => templates.delete(plan));
  return template;
}

function writeDigest(target: Uint8Array, position: number, digests: Uint8Array, index: number): void {
  const first = index * digestBytes;
  for (let byte = 0; byte < digestBytes; byte += 1) {
    const value = digests[first + byte] ?? 0;
    target[position + byte * 2] = hexadecimalDigits[value >> 4] ?? 0;
    target[position + byte * 2 + 1] = hexadecimalDigits[value & 15] ?? 0;
  }
}

/** Writes behind the first `length` bytes, in other memory if there is no room. */
function append(template: Template, length: number, text: string): number {
  const tail = new TextEncoder().encode(text);
  const end = length + tail.length;
  if (end > template.bytes.length) {
    const grown = new Uint8Array(end + firstRoomBytes);
    grown.set(template.bytes.subarray(0, length));
    template.bytes = grown;
  }
  template.bytes.set(tail, length);
  return end;
}

/** Adds what only this save knows, and the digest of all that is before it. */
function finish(template: Template, result: RankResult, digest: (bytes: Uint8Array) => string): Uint8Array {
  const { step, save, worldSize, sideFiles, digests } = result;
  const facts = { step, save, worldSize, sideFiles: sideFiles.map(listed), digests: listed(digests) };
  const length = append(template, template.length, `,${JSON.stringify(facts).slice(1, -1)}`);
  const digits = digest(template.bytes.subarray(0, length));
  const end = append(template, length, `,"digest":"${digits}"}\n`);
  return template.bytes.subarray(0, end);
}

/**
 * `ranks/00000.json`, giving way to the event loop.
 * @param digest XXH3-128 of bytes as 32 hexadecimal digits
 * @returns memory that the next call for the same plan fills again: fresh pages for it would take longer than the rest
 */
export async function fillRankManifest(
  plan: Plan,
  result: RankResult,
  digest: (bytes: Uint8Array) => string,
): Promise<Uint8Array> {
  const template = await rankTemplateOf(plan, result.writer);
  const { bytes, marks } = template;
  const files = plan.files.length;
  const slices = new TimeSlices();
  for (let index = 0; index < marks.length; index += 1) {
    const position = marks[index] ?? 0;
    if (index < files) writeDigest(bytes, position, result.fileDigests, index);
    else writeDigest(bytes, position, result.sliceDigests, index - files);
    if (index % digestsBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  return finish(template, result, digest);
}
