import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { capabilities, CheckpointWriter, CudaMemory } from 'snapshard';
import { runChild } from '../support/child.js';
import { expectClean, onGpu, runCuda } from '../support/cuda.js';
import { namesIn, useRoot } from '../support/root.js';

const root = useRoot();

interface Outcome {
  failure: { code: string; errno?: string; syscall?: string; message: string } | 'none';
  host: unknown;
  deviceReason: string;
  names: string[];
}

/** Functions without which nothing goes, by their names in documentation. */
const needed = [
  'cuInit',
  'cuDeviceGetCount',
  'cuDeviceGet',
  'cuDevicePrimaryCtxRetain',
  'cuCtxPushCurrent_v2',
  'cuMemAlloc_v2',
  'cuPointerGetAttribute',
  'cuStreamCreate',
  'cuEventCreate',
  'cuEventRecord',
  'cuStreamWaitEvent',
  'cuMemcpyDtoHAsync_v2',
  'cuMemcpyHtoDAsync_v2',
];

/** Those that make it slower, or end something. */
const others = [
  'cuDriverGetVersion',
  'cuDeviceGetAttribute',
  'cuDeviceGetPCIBusId',
  'cuMemGetInfo_v2',
  'cuMemGetAddressRange_v2',
  'cuMemHostRegister_v2',
  'cuMemHostUnregister',
  'cuMemFree_v2',
  'cuMemcpyDtoDAsync_v2',
  'cuMemcpyBatchAsync_v2',
  'cuMemcpyBatchAsync',
  'cuStreamSynchronize',
  'cuEventSynchronize',
  'cuEventDestroy_v2',
  'cuStreamDestroy_v2',
  'cuCtxPopCurrent_v2',
  'cuDevicePrimaryCtxRelease_v2',
  'cuGetErrorName',
  'cuGetErrorString',
];

const unknownError = 999;

async function failing(name: string, nth: number, more: object): Promise<Outcome> {
  const double = { CUDA_DOUBLE_FAIL: `${name}:${nth}:${unknownError}` };
  const ended = await runCuda('faults', { scenario: 'saveAndRestore', root: root.path, ...more }, { double });
  expectClean(ended);
  const outcome = ended.result as Outcome;
  expect(outcome.host).toBe('none');
  return outcome;
}

/** A failure is coded, names the function, and has the driver's own text. */
function expectTold(name: string, { failure, names }: Outcome): void {
  expect(names.filter((published) => !published.startsWith('step-'))).toEqual([]);
  if (failure === 'none') {
    expect(names).toEqual(['step-0000000001', 'step-0000000002']);
    return;
  }
  const plain = name.replace(/_v\d$/, '');
  expect(failure.message).toContain(plain);
  if (failure.code === 'ERR_SNAPSHARD_CUDA_UNAVAILABLE') return;
  expect(failure).toMatchObject({ code: 'ERR_SNAPSHARD_CUDA', errno: 'CUDA_ERROR_UNKNOWN', syscall: plain });
  expect(failure.message).toMatch(/CUDA_ERROR_UNKNOWN from \w+: \w+/);
}

describe.skipIf(onGpu)('a driver that fails', () => {
  it.each(needed)('in %s, always: a coded error, and host memory is saved', async (name) => {
    const outcome = await failing(name, 0, { cudaDevice: false });
    expect(outcome.failure).not.toBe('none');
    expectTold(name, outcome);
  });

  it.each([...needed, ...others])('in %s, each of its calls in turn', async (name) => {
    const ended = await runCuda('faults', { scenario: 'inTurn', root: root.path, name });
    expectClean(ended);
    for (const outcome of ended.result as Outcome[]) {
      expect(outcome.host).toBe('none');
      expectTold(name, outcome);
    }
  });

  it('to register the pool: copies go on, slower, and the reason is told', async () => {
    const { failure, deviceReason } = await failing('cuMemHostRegister_v2', 0, { cudaDevice: false });
    expect(failure).toBe('none');
    expect(deviceReason).toMatch(/cuMemHostRegister/);
  });

  it('for good, in mid-save: nothing is published, host memory is saved', async () => {
    const double = { CUDA_DOUBLE_BREAK: '2:700' };
    const ended = await runCuda('faults', { scenario: 'lost', root: root.path }, { double });
    expect({ code: ended.code, signal: ended.signal }, ended.output).toEqual({ code: 0, signal: null });
    const { failures, names } = ended.result as { failures: unknown[]; names: string[] };
    const lost = expect.objectContaining({
      code: 'ERR_SNAPSHARD_CUDA',
      errno: 'CUDA_ERROR_ILLEGAL_ADDRESS',
      message: expect.stringMatching(/start another process to use the GPU/) as string,
    }) as unknown;
    expect(failures).toEqual([lost, lost, lost, 'none', lost]);
    expect(names).toEqual(['step-0000000004']);
  });

  it('to answer: the deadline passes, others go on, the process ends', async () => {
    const double = { CUDA_DOUBLE_HANG: '2' };
    const ended = await runCuda('faults', { scenario: 'hanging', root: root.path }, { double });
    expect({ code: ended.code, signal: ended.signal }, ended.output).toEqual({ code: 0, signal: null });
    expect(ended.result).toEqual({
      failure: expect.objectContaining({ code: 'ERR_SNAPSHARD_DEADLINE' }) as unknown,
      host: 'none',
      names: ['step-0000000002'],
    });
  });
});

describe.skipIf(onGpu)('a driver that is of no use', () => {
  it.each([
    ['without a device', { CUDA_DOUBLE_DEVICES: '0' }, /no CUDA-capable device/],
    ['that is too old', { CUDA_DOUBLE_DRIVER_VERSION: '9000' }, /too old|9\.0/],
  ])('%s: the reason is told, host memory is saved', async (_what, double, reason) => {
    const ended = await runCuda('no_cuda', { scenario: 'unavailable', root: root.path }, { double });
    expect({ code: ended.code, signal: ended.signal }, ended.output).toEqual({ code: 0, signal: null });
    expectUnavailable(ended.result, reason);
  });

  it('that is no library: the reason is told, host memory is saved', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'snapshard-no-driver-'));
    writeFileSync(join(folder, 'libcuda.so.1'), 'no library');
    const argument = { scenario: 'unavailable', root: root.path };
    const { code, signal, messages, output } = await runChild('cuda/no_cuda', argument, {
      environment: { LD_LIBRARY_PATH: folder },
    });
    rmSync(folder, { recursive: true });
    expect({ code, signal }, output).toEqual({ code: 0, signal: null });
    expectUnavailable(messages.at(-1), /libcuda\.so\.1/);
  });
});

function expectUnavailable(result: unknown, reason: RegExp): void {
  const unavailable = expect.objectContaining({
    code: 'ERR_SNAPSHARD_CUDA_UNAVAILABLE',
    message: expect.stringMatching(reason) as string,
  }) as unknown;
  expect(result).toEqual({
    cuda: { available: false, reason: expect.stringMatching(reason) as string, driverVersion: '', devices: 0 },
    failures: { at: unavailable, fromIpc: unavailable, allocate: unavailable, open: unavailable },
    host: 'none',
  });
  expect(namesIn(root.path)).toEqual(['step-0000000001']);
}

describe.runIf(!capabilities().cuda.available)('without a driver', () => {
  it('says which, and what to do', async () => {
    expect(capabilities().cuda).toMatchObject({ available: false, reason: expect.stringMatching(/libcuda/) as string });
    expect(() => CudaMemory.allocate(1)).toThrow(expect.objectContaining({ code: 'ERR_SNAPSHARD_CUDA_UNAVAILABLE' }));
    const writer = await CheckpointWriter.open(root.path);
    await writer.save({ step: 1, tensors: { host: new Uint8Array(5) } });
    await writer.close();
  });
});
