import { type Box, findFault } from '../layout/coverage.js';
import { manifestName } from '../layout/names.js';
import type { TimeSlices } from '../layout/time_slices.js';
import { sameDimensions, zeroOrigin } from '../tensor/shape.js';
import { regionText } from './boxes.js';
import type { ReadSource } from './read_source.js';
import type { Damage } from './read_types.js';
import type { StoredTensor } from './stored.js';

const tensorsBetweenChecks = 256;

function boxOf(origin: readonly number[], shape: readonly number[]): Box {
  return shape.map((size, dimension) => {
    const begin = origin[dimension] ?? 0;
    return { begin, end: begin + size };
  });
}

/** Whether the tensor lies in one piece, as mostly it does. */
function isOneSlice({ shape, slices }: StoredTensor): boolean {
  const [slice] = slices;
  if (slice === undefined || slices.length > 1) return false;
  return sameDimensions(slice.shape, shape) && sameDimensions(slice.origin, zeroOrigin(shape.length));
}

/** What of a tensor no slice holds, or two do; in what others wrote, slices may overlap. */
function faultOf(tensor: StoredTensor, hasDigests: boolean): string | undefined {
  const { shape, slices } = tensor;
  if (isOneSlice(tensor) || shape.includes(0)) return undefined;
  const boxes = slices.filter((slice) => !slice.shape.includes(0)).map((slice) => boxOf(slice.origin, slice.shape));
  const fault = findFault(boxes, boxOf([], shape), hasDigests ? 'fault' : 'only');
  if (fault === undefined) return undefined;
  const origin = fault.box.map(({ begin }) => begin);
  const region = regionText({ origin, shape: fault.box.map(({ begin, end }) => end - begin) });
  return fault.kind === 'gap' ? `no slice holds ${region}` : `two slices hold ${region}`;
}

/** Tensors that their slices do not make up. */
export async function verifyCover(source: ReadSource, slices: TimeSlices): Promise<Damage[]> {
  const { stored } = source.opened;
  const damaged: Damage[] = [];
  let checked = 0;
  for (const tensor of stored.tensors.values()) {
    checked += 1;
    if (checked % tensorsBetweenChecks === 0 && slices.spent) await slices.pause();
    const reason = faultOf(tensor, stored.hasDigests);
    if (reason === undefined) continue;
    const first = stored.files[tensor.slices[0]?.file ?? -1]?.path ?? manifestName;
    const file = stored.hasDigests ? manifestName : first;
    damaged.push({ file, offset: 0, bytes: 0, tensor: tensor.name, reason });
  }
  return damaged;
}
