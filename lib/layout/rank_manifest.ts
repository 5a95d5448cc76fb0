import type { TensorSpec } from '../tensor/tensor.js';
import { ChunkedJson, type JsonChunk, joinChunks } from './chunked_json.js';
import { digestBytes, digestDigits, formatVersion, rankManifestFormat } from './format.js';
import type { Plan, PlannedFile } from './plan.js';
import { TimeSlices } from './time_slices.js';

/** What only a finished transfer knows. */
export interface RankResult {
  /** Nonce of the writer: lower-case letters and digits. */
  readonly writer: string;
  /** 16 bytes a slice and 16 bytes a file, in file order. */
  readonly sliceDigests: Uint8Array;
  readonly fileDigests: Uint8Array;
}

const noDigest = '0'.repeat(digestDigits);
const hexadecimalDigits = new TextEncoder().encode('0123456789abcdef');
const entriesBetweenChecks = 256;
const digestsBetweenChecks = 4096;

/** Builds the manifest but for the writer, with zeros, marked, for the digest of each file, then of each slice. */
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
    this.#text.json.raw(']}\n');
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
      const spec = plan.specs[plan.order[slice] ?? 0];
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

/** The manifest of one writer and plan, whole but for its digests. */
interface Template {
  readonly writer: string;
  readonly bytes: Uint8Array;
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
  const bytes = await joinChunks([head, ...chunks], new TimeSlices(), (_target, position, chunk) => {
    for (const mark of chunk.marks) {
      marks[marked] = position + mark;
      marked += 1;
    }
  });
  return { writer, bytes, marks };
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

/**
 * `ranks/00000.json`, giving way to the event loop.
 * @returns memory that the next call for the same plan fills again: fresh pages for it would take longer than the rest
 */
export async function fillRankManifest(plan: Plan, result: RankResult): Promise<Uint8Array> {
  const { bytes, marks } = await rankTemplateOf(plan, result.writer);
  const files = plan.files.length;
  const slices = new TimeSlices();
  for (let index = 0; index < marks.length; index += 1) {
    const position = marks[index] ?? 0;
    if (index < files) writeDigest(bytes, position, result.fileDigests, index);
    else writeDigest(bytes, position, result.sliceDigests, index - files);
    if (index % digestsBetweenChecks === 0 && slices.spent) await slices.pause();
  }
  return bytes;
}
