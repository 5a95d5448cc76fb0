import { integers, parseJson, record } from './json.js';
import type { SliceEntry } from './rank.js';

/** Checks what a header tells other readers: that it is for PyTorch and, of slices, where each begins in its tensor. */
export function checkHeaderMetadata(metadata: Record<string, string>, slices: SliceEntry[], sliced: boolean): void {
  if (metadata.format !== 'pt') throw new Error('the format in its __metadata__ is not "pt"');
  const { DCP_VERSION: version, DCP_SHARDING_INFO: sharding } = metadata;
  if (sharding === undefined) {
    if (sliced) throw new Error('it is one of several ranks, but DCP_SHARDING_INFO is not there');
    const part = slices.find(({ shape, globalShape }) => shape.join() !== globalShape.join());
    if (part !== undefined) throw new Error(`${part.name} is a slice, but DCP_SHARDING_INFO is not there`);
    return;
  }
  if (version !== '1.0') throw new Error(`its DCP_VERSION is ${String(version)}`);
  const origins = record(parseJson(sharding), 'DCP_SHARDING_INFO');
  for (const { name, origin } of slices) {
    const { saved_offsets } = record(origins[name], `DCP_SHARDING_INFO of ${name}`);
    if (integers(saved_offsets, `saved_offsets of ${name}`).join() !== origin.join()) {
      throw new Error(`DCP_SHARDING_INFO has ${name} at [${String(saved_offsets)}], not at [${origin.join()}]`);
    }
  }
}
