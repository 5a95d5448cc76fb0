/** Every failure of Snapshard is a `SnapshardError` with one of these codes; a code never changes its meaning. */
export type SnapshardErrorCode =
  /** An option or argument of the wrong type or out of range, or a misspelt option. */
  | 'ERR_SNAPSHARD_INVALID_ARGUMENT'
  /** A tensor's or side file's name that is empty, reserved, not well-formed Unicode, or leaves the directory. */
  | 'ERR_SNAPSHARD_INVALID_NAME'
  | 'ERR_SNAPSHARD_DUPLICATE_NAME'
  | 'ERR_SNAPSHARD_UNKNOWN_DTYPE'
  /** The view that holds the data cannot hold that dtype. */
  | 'ERR_SNAPSHARD_DTYPE_MISMATCH'
  /** Shape, dtype and byte count disagree, or a slice does not fit its global shape. */
  | 'ERR_SNAPSHARD_SHAPE_MISMATCH'
  /** The slices of a tensor leave a gap or overlap. */
  | 'ERR_SNAPSHARD_INCOMPLETE_TENSOR'
  /** Ranks of one run disagree: on the world size, on which step they save; or sources, on which rank this is. */
  | 'ERR_SNAPSHARD_RANKS_DISAGREE'
  /** Another rank failed, aborted or gave up, and so the save of all. */
  | 'ERR_SNAPSHARD_RANK_FAILED'
  /** The run's ranks met without this process, or the run was started anew since. */
  | 'ERR_SNAPSHARD_SESSION_OVER'
  /** The root is a disk of this host alone, and the ranks are on several. */
  | 'ERR_SNAPSHARD_NOT_SHARED'
  /** Bytes that are not what their digest says, or not what the format allows. */
  | 'ERR_SNAPSHARD_CORRUPT'
  /** Written by a Snapshard of another major version of the format, or a manifest that is somebody else's. */
  | 'ERR_SNAPSHARD_UNSUPPORTED_VERSION'
  /** Metadata that JSON cannot hold. */
  | 'ERR_SNAPSHARD_INVALID_METADATA'
  /** A header that cannot be kept under the limit of the format (one tensor's name alone is too long). */
  | 'ERR_SNAPSHARD_HEADER_TOO_LARGE'
  /** That step is published already, and `overwrite` was not given. */
  | 'ERR_SNAPSHARD_STEP_EXISTS'
  /** The writer, lease or handle is closed. */
  | 'ERR_SNAPSHARD_CLOSED'
  /** JavaScript detached, transferred or resized a source before `staged`. */
  | 'ERR_SNAPSHARD_SOURCE_DETACHED'
  /** A source changed while it was saved in place, or a file source shrank. */
  | 'ERR_SNAPSHARD_SOURCE_CHANGED'
  /** JavaScript detached, transferred or resized a target before the read had ended. */
  | 'ERR_SNAPSHARD_TARGET_DETACHED'
  /** Another process took the half-written save away. */
  | 'ERR_SNAPSHARD_GIVEN_UP'
  /** Published, but the sync of the root failed: it may or may not survive a power loss. */
  | 'ERR_SNAPSHARD_DURABILITY_UNKNOWN'
  /** The deadline passed. */
  | 'ERR_SNAPSHARD_DEADLINE'
  /** `ENOSPC`, `EDQUOT`. */
  | 'ERR_SNAPSHARD_NO_SPACE'
  /** `ENOENT`: the root, file or step is not there. */
  | 'ERR_SNAPSHARD_NOT_FOUND'
  /** `ENOTDIR`: a file is where a directory was expected. */
  | 'ERR_SNAPSHARD_NOT_A_DIRECTORY'
  /** `EROFS`. */
  | 'ERR_SNAPSHARD_READ_ONLY'
  /** `EACCES`, `EPERM`. */
  | 'ERR_SNAPSHARD_PERMISSION'
  /** `EMFILE`, `ENFILE`: no file descriptor is free. */
  | 'ERR_SNAPSHARD_TOO_MANY_FILES'
  /** `ENOMEM`: the pool or a lease cannot be had; or device memory. */
  | 'ERR_SNAPSHARD_NO_MEMORY'
  /** `io_uring` was demanded, and the kernel denies it. */
  | 'ERR_SNAPSHARD_IO_URING_UNAVAILABLE'
  /** Device memory was named where there is no CUDA driver, no GPU, or a driver that is too old. */
  | 'ERR_SNAPSHARD_CUDA_UNAVAILABLE'
  /** The CUDA driver refused a call: `errno` is its name for that (`CUDA_ERROR_…`), `syscall` the function. */
  | 'ERR_SNAPSHARD_CUDA'
  /** Any other failure of the system: `EIO`, `ESTALE`, … */
  | 'ERR_SNAPSHARD_IO'
  /** The native add-on is missing or does not load. */
  | 'ERR_SNAPSHARD_NATIVE_MISSING';

export interface SnapshardErrorDetails {
  cause?: unknown;
  /** Symbolic, such as `ENOSPC`. */
  errno?: string;
  syscall?: string;
  path?: string;
  /** The ranks that the failure is about, ascending. */
  ranks?: readonly number[];
}

/** What went wrong (`code`, stable), what to do (`message`), and what the system said (`errno`, `syscall`, `path`). */
export class SnapshardError extends Error {
  override readonly name = 'SnapshardError';
  readonly code: SnapshardErrorCode;
  readonly errno?: string;
  readonly syscall?: string;
  readonly path?: string;
  readonly ranks?: readonly number[];

  constructor(code: SnapshardErrorCode, message: string, details: SnapshardErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.path !== undefined) this.path = details.path;
    if (details.ranks !== undefined) this.ranks = details.ranks;
  }
}
