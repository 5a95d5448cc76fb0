import { defaultGroup } from '../tensor/tensor.js';
import { ChunkedJson, joinChunks } from './chunked_json.js';
import { keptWithPlan } from './kept.js';
import { indexName } from './names.js';
import type { Plan, PlannedFile } from './plan.js';
import { TimeSlices } from './time_slices.js';

export interface IndexFile {
  /** `model.safetensors.index.json` */
  readonly path: string;
  readonly bytes: Uint8Array;
}

const entriesBetweenChecks = 256;

async function encodeIndex(plan: Plan, files: readonly PlannedFile[]): Promise<Uint8Array> {
  const text = new ChunkedJson();
  const slices = new TimeSlices();
  const tensorBytes = files.reduce((sum, file) => sum + file.bytes - file.header.length, 0);
  text.json.raw('{"metadata":{"total_size":').integer(tensorBytes).raw('},"weight_map":{');
  let separator = '';
  for (const { path, firstSlice, sliceCount } of files) {
    for (const [index, spec] of plan.sliceSpecs.slice(firstSlice, firstSlice + sliceCount).entries()) {
      text.json.raw(separator).string(spec.name).raw(':').string(path);
      text.endEntry();
      separator = ',';
      if (index % entriesBetweenChecks === 0 && slices.spent) await slices.pause();
    }
  }
  text.json.raw('}}\n');
  return joinChunks(text.finish(), slices);
}

/**
 * The Hugging Face index of the `model` group: `undefined` when the plan has no such group, or a tensor of several
 * slices. Built once for a plan, giving way to the event loop.
 */
export const buildIndex: (plan: Plan) => Promise<IndexFile | undefined> = keptWithPlan(async (plan) => {
  const files = plan.files.filter(({ group }) => group === defaultGroup);
  if (plan.sliced || files.length === 0) return undefined;
  return { path: indexName(defaultGroup), bytes: await encodeIndex(plan, files) };
});
