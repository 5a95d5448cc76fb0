import { createRequire } from 'node:module';

/** What a program does with the driver by itself; see cuda_user.cc. Handles and addresses are as the driver gives them. */
export interface CudaUser {
  allocate(device: number, bytes: number): bigint;
  free(device: number, pointer: bigint): void;
  /** Asks for it; the stream does it later. */
  write(device: number, pointer: bigint, bytes: Uint8Array, stream: bigint): void;
  /** Behind what the stream has been given. */
  read(device: number, pointer: bigint, bytes: number, stream: bigint): Uint8Array;
  createStream(device: number): bigint;
  destroyStream(device: number, stream: bigint): void;
  synchronize(device: number, stream: bigint): void;
  createEvent(device: number): bigint;
  recordEvent(device: number, event: bigint, stream: bigint): void;
  destroyEvent(device: number, event: bigint): void;
  /** Only of the double: whether the stream holds back what waits in it. */
  holdStream(stream: bigint, holds: boolean): void;
  /** Only of the double: which of the next calls of a function fails, counted from 1, and with what. */
  failNext(name: string, nth: number, error: number): void;
  /** Whether that has come. */
  hasFailed(): boolean;
}

/** In a program that `runCuda` started. */
export function loadCudaUser(): CudaUser {
  return createRequire(import.meta.url)(process.env.SNAPSHARD_CUDA_USER ?? '') as CudaUser;
}

/** The legacy default stream. */
export const defaultStream = 0n;
