import { resolve } from 'node:path';
import type { NativeError } from '../binding.js';
import { SnapshardError, type SnapshardErrorCode } from '../errors.js';

/** Whether something is saved, or otherwise made; or what is there already is used: read, listed or removed. */
export type Purpose = 'save' | 'make' | 'use';

/** What was being done when native failed, for the message. */
export interface ErrorContext {
  /** Completes "Cannot …", such as `open the root`. */
  action: string;
  /** Absolute path that the error's own path is relative to; none where no directory is involved. */
  root?: string;
  /** Decides which advice helps. Default: `save`. */
  purpose?: Purpose;
  /** What to do where no code has a remedy of its own. Default: that nothing was published, where that was to be. */
  remedy?: string;
  /** Bytes that the save needs on disk, where known. */
  neededBytes?: number;
}

const codeOfErrno: Readonly<Record<string, SnapshardErrorCode>> = {
  ENOSPC: 'ERR_SNAPSHARD_NO_SPACE',
  EDQUOT: 'ERR_SNAPSHARD_NO_SPACE',
  ENOENT: 'ERR_SNAPSHARD_NOT_FOUND',
  ENOTDIR: 'ERR_SNAPSHARD_NOT_A_DIRECTORY',
  EROFS: 'ERR_SNAPSHARD_READ_ONLY',
  EACCES: 'ERR_SNAPSHARD_PERMISSION',
  EPERM: 'ERR_SNAPSHARD_PERMISSION',
  EMFILE: 'ERR_SNAPSHARD_TOO_MANY_FILES',
  ENFILE: 'ERR_SNAPSHARD_TOO_MANY_FILES',
  ENOMEM: 'ERR_SNAPSHARD_NO_MEMORY',
};

type Remedies = Partial<Record<SnapshardErrorCode, string>>;

const createIt = 'It does not exist: create it, or correct the path.';
const readOnly = 'The file system is mounted read-only: remount it';

const remediesOf: Readonly<Record<Purpose, Remedies>> = {
  save: {
    ERR_SNAPSHARD_NO_SPACE: 'Free space there (removeCheckpoint removes an old step) and save again.',
    ERR_SNAPSHARD_NOT_FOUND: createIt,
    ERR_SNAPSHARD_READ_ONLY: `${readOnly}, or choose another root.`,
  },
  make: {
    ERR_SNAPSHARD_NO_SPACE: 'Free space there, or choose another place, and try again.',
    ERR_SNAPSHARD_NOT_FOUND: createIt,
    ERR_SNAPSHARD_READ_ONLY: `${readOnly}, or choose another place.`,
  },
  use: {
    ERR_SNAPSHARD_NO_SPACE: 'Free space there, and try again.',
    ERR_SNAPSHARD_NOT_FOUND: 'It does not exist: correct the path.',
    ERR_SNAPSHARD_READ_ONLY: `${readOnly}.`,
  },
};

const remedyOfCode: Remedies = {
  ERR_SNAPSHARD_NOT_A_DIRECTORY: 'A file is where a directory was expected: correct the path.',
  ERR_SNAPSHARD_PERMISSION:
    'This process may not: check the owner and the mode; over NFS the server may take root for nobody (root_squash).',
  ERR_SNAPSHARD_TOO_MANY_FILES: 'No file descriptor is free: close some, or raise the limit (`ulimit -n`).',
  ERR_SNAPSHARD_NO_MEMORY: 'The system has no memory for it: ask for less (`stagingBytes`), or free some.',
  ERR_SNAPSHARD_IO_URING_UNAVAILABLE:
    "The kernel denies io_uring here (see capabilities()): open the writer with engine 'auto' or 'pwrite'.",
};

const mountGone = 'The mount is gone, or is another one by now: mount it, and open this anew.';
const deviceFailed = "The device or its file system failed: the kernel's log (`dmesg`) tells more.";

const causeOfErrno: Readonly<Record<string, string>> = {
  ENOTCONN: mountGone,
  ECONNABORTED: mountGone,
  ENODEV: mountGone,
  ESTALE: 'It was deleted or replaced on the server: open the writer, or the checkpoint, again.',
  ETIMEDOUT: 'The server does not answer, and the mount waits no longer (`soft`): try again when it does.',
  ENAMETOOLONG: 'The path, or a name in it, is too long: correct it.',
  EIO: deviceFailed,
  EUCLEAN: deviceFailed,
};

const lostContext =
  'The context of this process on the GPU is lost: start another process to use the GPU. Host memory can still be saved.';
const peerGone = 'Its process must be alive, another than this one, and on this machine, and must not have freed it.';

const cudaRemedies: Readonly<Record<string, string>> = {
  CUDA_ERROR_OUT_OF_MEMORY: 'The GPU has no memory for it: free some, or take less.',
  CUDA_ERROR_ILLEGAL_ADDRESS: `Device memory was freed while it was in use. ${lostContext}`,
  CUDA_ERROR_LAUNCH_FAILED: lostContext,
  CUDA_ERROR_ECC_UNCORRECTABLE: lostContext,
  CUDA_ERROR_CONTEXT_IS_DESTROYED: lostContext,
  CUDA_ERROR_INVALID_HANDLE: 'A stream, an event or an IPC handle is not, or no longer, one of this driver.',
  CUDA_ERROR_MAP_FAILED: peerGone,
};

/** The one place that turns what native says into a `SnapshardError`; other errors pass through unchanged. */
export function toSnapshardError(error: unknown, context: ErrorContext): Error {
  if (!isNativeError(error)) return error instanceof Error ? error : new Error(String(error));
  const code = codeOf(error);
  const path = context.root === undefined && error.path === '' ? undefined : resolve(context.root ?? '', error.path);
  return new SnapshardError(code, messageOf(error, code, path, context), {
    cause: error,
    ...(error.errnoName !== '' && { errno: error.errnoName }),
    ...(error.syscall !== '' && { syscall: error.syscall }),
    ...(path !== undefined && { path }),
  });
}

/** Whether an error is what the system said with one of these symbolic names. */
export function hasErrno(error: unknown, ...names: string[]): boolean {
  return error instanceof SnapshardError && error.errno !== undefined && names.includes(error.errno);
}

function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'kind' in error && 'errnoName' in error;
}

function codeOf(error: NativeError): SnapshardErrorCode {
  switch (error.kind) {
    case 'source-detached':
      return 'ERR_SNAPSHARD_SOURCE_DETACHED';
    case 'source-changed':
      return 'ERR_SNAPSHARD_SOURCE_CHANGED';
    case 'target-detached':
      return 'ERR_SNAPSHARD_TARGET_DETACHED';
    case 'closed':
    case 'aborted':
      return 'ERR_SNAPSHARD_CLOSED';
    case 'argument':
      return 'ERR_SNAPSHARD_INVALID_ARGUMENT';
    case 'cuda-unavailable':
      return 'ERR_SNAPSHARD_CUDA_UNAVAILABLE';
    case 'cuda':
      return isOutOfDeviceMemory(error) ? 'ERR_SNAPSHARD_NO_MEMORY' : 'ERR_SNAPSHARD_CUDA';
    case 'system':
      if (/^io_uring_(setup|enter)$/.test(error.syscall)) return 'ERR_SNAPSHARD_IO_URING_UNAVAILABLE';
      return codeOfErrno[error.errnoName] ?? 'ERR_SNAPSHARD_IO';
  }
}

function isOutOfDeviceMemory({ errnoName, syscall }: NativeError): boolean {
  return errnoName === 'CUDA_ERROR_OUT_OF_MEMORY' && syscall === 'cuMemAlloc';
}

/** The driver's own text, and what to do. */
function cudaMessageOf(error: NativeError, context: ErrorContext): string {
  const { message, errnoName, syscall } = error;
  const remedy = cudaRemedies[errnoName] ?? context.remedy ?? 'Nothing was published; host memory can still be saved.';
  return `Cannot ${context.action}: ${errnoName} from ${syscall}: ${message}. ${remedy}`;
}

function messageOf(
  error: NativeError,
  code: SnapshardErrorCode,
  path: string | undefined,
  context: ErrorContext,
): string {
  if (error.kind === 'cuda') return cudaMessageOf(error, context);
  if (error.kind !== 'system') return `Cannot ${context.action}: ${error.message}`;
  const needed =
    code === 'ERR_SNAPSHARD_NO_SPACE' && context.neededBytes !== undefined
      ? ` The save needs ${context.neededBytes} bytes.`
      : '';
  const place = path === undefined ? '' : ` on ${path}`;
  const what = `Cannot ${context.action}: ${error.errnoName} from ${error.syscall}${place}.${needed}`;
  const purpose = context.purpose ?? 'save';
  const remedy = remediesOf[purpose][code] ?? remedyOfCode[code];
  if (remedy !== undefined) return `${what} ${remedy}`;
  const cause = causeOfErrno[error.errnoName] ?? 'The system reported it.';
  const outcome = context.remedy ?? (purpose === 'save' ? 'Nothing was published.' : undefined);
  return outcome === undefined ? `${what} ${cause}` : `${what} ${cause} ${outcome}`;
}
