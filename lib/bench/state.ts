/** The tensors of a workload as one rank holds them, in memory such as a trainer has: its own, and touched. */
import type { Tensor } from '../tensor/tensor.js';
import { fillTensor } from './data.js';
import { workloadTensors, type WorkloadSpec } from './workload.js';

/** Larger tensors are several views, since an `ArrayBuffer` has a limit. */
const viewBytesMax = 2 ** 30;

/** Filled with what the workload draws. */
export function makeState(spec: WorkloadSpec, rank: number): Map<string, Tensor> {
  return new Map(
    workloadTensors(spec, rank).map((tensor) => {
      const data = makeMemory(tensor.bytes, (view, offset) => {
        fillTensor(tensor, view, spec.seed, offset);
      });
      const { name, dtype, shape, group } = tensor;
      return [name, { dtype, shape, group, data }];
    }),
  );
}

/** Where a rank's tensors can be read to. */
export function makeTargets(spec: WorkloadSpec, rank: number): Map<string, Uint8Array[]> {
  return new Map(workloadTensors(spec, rank).map(({ name, bytes }) => [name, makeMemory(bytes, (view) => view.fill(1))]));
}

function makeMemory(bytes: number, touch: (view: Uint8Array, offset: number) => void): Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes / viewBytesMax));
  return Array.from({ length: count }, (_, part) => {
    const view = new Uint8Array(Math.min(viewBytesMax, bytes - part * viewBytesMax));
    touch(view, part * viewBytesMax);
    return view;
  });
}
