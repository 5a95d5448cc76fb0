/** Where no GPU can be used. */
import { capabilities, CheckpointWriter, CudaMemory } from 'snapshard';
import { MiB } from '../../bytes.js';
import { failureOf, runScenario, type ScenarioArgument } from '../../scenarios.js';

async function unavailable({ root }: ScenarioArgument): Promise<unknown> {
  const options = { stagingBytes: 4 * MiB, blockBytes: MiB };
  const failures = {
    at: await failureOf(() => CudaMemory.at({ pointer: 0x7000_0000_0000n, bytes: 8 })),
    fromIpc: await failureOf(() => CudaMemory.fromIpc({ handle: new Uint8Array(64), bytes: 8 })),
    allocate: await failureOf(() => CudaMemory.allocate(8)),
    open: await failureOf(() => CheckpointWriter.open(root, { ...options, cudaDevice: 0 })),
  };
  const writer = await CheckpointWriter.open(root, options);
  const host = await failureOf(() => writer.save({ step: 1, tensors: { host: new Uint8Array(5) }, deviceSnapshot: true }));
  await writer.close();
  return { cuda: capabilities().cuda, failures, host };
}

await runScenario({ unavailable });
