import type { TensorSpec } from '../tensor/tensor.js';
import { ChunkedJson, type JsonChunk, joinChunks } from './chunked_json.js';
import { digestBytes, digestDigits, formatVersion, rankManifestFormat } from './format.js';
import { keptWithPlan } from './kept.js';
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

/** All of the manifest but what only a finished transfer knows: worth building while the bytes are on their way. */
export const rankTemplateOf: (plan: Plan) => Promise<readonly JsonChunk[]> = keptWithPlan((plan) =>
  new TemplateBuilder().build(plan),
);

function writeDigest(target: Uint8Array, position: number, digests: Uint8Array, index: number): void {
  const first = index * digestBytes;
  for (let byte = 0; byte < digestBytes; byte += 1) {
    const value = digests[first + byte] ?? 0;
    target[position + byte * 2] = hexadecimalDigits[value >> 4] ?? 0;
    target[position + byte * 2 + 1] = hexadecimalDigits[value & 15] ?? 0;
  }
}

/** `ranks/00000.json`. All but the digests is built once for a plan; both steps give way to the event loop. */
export async function fillRankManifest(plan: Plan, result: RankResult): Promise<Uint8Array> {
  const template = await rankTemplateOf(plan);
  const facts = { format: rankManifestFormat, version: formatVersion, rank: plan.rank, writer: result.writer };
  const head = { bytes: new TextEncoder().encode(JSON.stringify(facts).slice(0, -1)), marks: [] };
  const files = plan.files.length;
  let filled = 0;
  return joinChunks([head, ...template], new TimeSlices(), (target, position, { marks }) => {
    for (const mark of marks) {
      if (filled < files) writeDigest(target, position + mark, result.fileDigests, filled);
      else writeDigest(target, position + mark, result.sliceDigests, filled - files);
      filled += 1;
    }
  });
}
