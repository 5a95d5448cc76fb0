import { binding, type NativeCapabilities } from './binding.js';

export type { CudaFeature, Feature } from './binding.js';

/** What this machine lets Snapshard do, probed once; each thing that it does not comes with its reason. */
export type Capabilities = NativeCapabilities;

export function capabilities(): Capabilities {
  return binding.capabilities();
}
