import { describe, expect, it } from 'vitest';
import { expectClean, onGpu, runCuda, type DoubleEnvironment } from '../support/cuda.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();

async function run(scenario: string, more: object = {}, double: DoubleEnvironment = {}): Promise<unknown> {
  const ended = await runCuda('refusals', { scenario, root: root.path, ...more }, { double });
  expectClean(ended);
  return ended.result;
}

const failure = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code: `ERR_SNAPSHARD_${code}`, message: expect.stringMatching(message) as string });
const invalid = (message: RegExp): unknown => failure('INVALID_ARGUMENT', message);

describe('CudaMemory refuses', () => {
  it('options that are wrong in themselves', async () => {
    expect(await run('options')).toEqual({
      misspelt: invalid(/`strem` in the options of CudaMemory.at: is it misspelt/),
      'no bigint': invalid(/a bigint, the address on the device, for `pointer`.* received 5\./),
      'no pointer': invalid(/`pointer`.* received undefined/),
      'negative bytes': invalid(/0 or more for `bytes`.* received -1/),
      'part of a byte': invalid(/`bytes`.* received 1.5/),
      'negative device': invalid(/number of a GPU.* for `device`.* received -1/),
      'stream and event': invalid(/either `stream` or `event`.* both/),
      'no event': invalid(/`event`.* received 0n/),
      nothing: invalid(/an object for the options of CudaMemory.at but received undefined/),
      'bytes to allocate': invalid(/`bytes` in the arguments of CudaMemory.allocate but received "5"/),
      'handle of 63 bytes': invalid(/64 bytes, or the 66 of PyTorch, for `handle`/),
      'handle of text': invalid(/`handle`.* received "handle"/),
      'handle of another allocator': invalid(/PyTorch's allocator.* 66 bytes that begin with 1 and 1/),
      'expandable segment': invalid(/PYTORCH_CUDA_ALLOC_CONF=expandable_segments:False/),
      'negative offset': invalid(/`offset`/),
      'event of 3 bytes': invalid(/64 bytes for `readyEvent`/),
    });
  });

  it('what is no device memory of that device, that long', async () => {
    const devices = onGpu ? 1 : 2;
    const result = await run('memory', { devices }, { CUDA_DOUBLE_DEVICES: String(devices) });
    expect(result).toEqual({
      'a host pointer': invalid(/0x1000 is not device memory/),
      freed: invalid(/is not device memory: it is host memory, or has been freed/),
      'too short': invalid(/and 1000000004096 were asked for/),
      'other device': devices > 1 ? invalid(/is of device 1, not of device 0/) : invalid(/not device memory/),
      'no such device': invalid(/CUDA device 7 is not there/),
      'a stream that is no address': invalid(/the handle of a stream of this process/),
      'an event that is no address': invalid(/the handle of an event of this process/),
      'an odd stream': invalid(/the handle of a stream of this process/),
      'a handle of nobody': expect.objectContaining({
        code: 'ERR_SNAPSHARD_CUDA',
        errno: expect.stringMatching(/^CUDA_ERROR_/) as string,
        syscall: 'cuIpcOpenMemHandle',
      }) as unknown,
      'more than there is': failure('NO_MEMORY', /CUDA_ERROR_OUT_OF_MEMORY from cuMemAlloc: .+ The GPU has no memory/),
      'the right one': 'none',
    });
  });

  it('to be used once disposed, or otherwise than it may', async () => {
    const disposed = failure('CLOSED', /CudaMemory .*is disposed/);
    expect(await run('uses')).toEqual({
      disposed,
      'slice of what is disposed': disposed,
      'disposed slice': disposed,
      'slice of a disposed slice': disposed,
      'slice beyond its end': invalid(/within the 4096 bytes.* received 4096 from 1 on/),
      'other bytes than the shape': failure('SHAPE_MISMATCH', /Expected 4095 bytes .* received 4096/),
      'forged object': invalid(/a CudaMemory/),
      'misspelt flag': invalid(/`devicesnapshot`/),
      'flag of another kind': invalid(/`deviceSnapshot`.* received 1/),
      'targets that share memory': invalid(/share memory/),
      'a disposed target': disposed,
      'device of another kind': invalid(/number of a GPU, from 0 on, for `cudaDevice`.* received "0"/),
      'no such device': invalid(/CUDA device 99 is not there/),
    });
    expect(namesIn(root.path)).toEqual(['step-0000000000']);
  });
});
