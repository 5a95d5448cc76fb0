import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What one call of the system can be refused with, and how failures name it. */
export interface Refusable {
  readonly errors: readonly string[];
  /** As `syscall` of an error. Default: its own name. */
  readonly told?: readonly string[];
  /** Whether an error of it is about a path. */
  readonly path: boolean;
}

const making = ['EIO', 'ENOSPC', 'EDQUOT', 'EACCES', 'ENOMEM', 'EROFS', 'ESTALE'];
const opening = [...making, 'EMFILE', 'ENFILE', 'EINTR'];
const writing = ['EIO', 'ENOSPC', 'EDQUOT', 'EFBIG', 'ESTALE', 'EINTR', 'SHORT'];
const reading = ['EIO', 'ESTALE', 'EINTR', 'EAGAIN', 'ENOMEM', 'SHORT'];
const about = { path: true } as const;
const alone = { path: false } as const;

/** By the names that refuse.h gives them. */
export const refusable: Readonly<Record<string, Refusable>> = {
  close: { errors: ['EIO', 'ENOSPC', 'EDQUOT', 'EINTR'], ...about },
  closedir: { errors: ['EIO', 'EINTR'], ...about },
  eventfd: { errors: ['EMFILE', 'ENFILE', 'ENOMEM'], ...alone },
  fallocate: { errors: ['EIO', 'ENOSPC', 'EDQUOT', 'EFBIG', 'EPERM', 'EINTR', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'], ...about },
  fcntl: { errors: ['EINVAL', 'EPERM', 'EMFILE'], ...about },
  fdatasync: { errors: ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'EINTR'], ...about },
  fdopendir: { errors: ['ENOMEM', 'EIO'], told: ['readdir', 'unlinkat'], ...about },
  flock: { errors: ['EINTR', 'EWOULDBLOCK', 'ENOLCK', 'ENOSYS', 'EIO'], ...about },
  fstat: { errors: ['EIO', 'ENOMEM', 'ESTALE'], ...about },
  fstatat: { errors: ['EIO', 'EACCES', 'ENOMEM', 'ESTALE'], told: ['renameat2'], ...about },
  fstatfs: { errors: ['EIO', 'ENOSYS', 'ENOMEM', 'ESTALE'], ...about },
  fsync: { errors: ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'EINTR', 'ESTALE'], ...about },
  ftruncate: { errors: ['EIO', 'ENOSPC', 'EFBIG', 'EPERM', 'EINTR'], ...about },
  io_uring_enter: { errors: ['EAGAIN', 'EBUSY', 'EINTR', 'ENOMEM'], ...alone },
  io_uring_register: { errors: ['ENOMEM', 'EPERM', 'ENOSYS', 'EINVAL'], ...alone },
  io_uring_setup: { errors: ['EPERM', 'ENOSYS', 'ENOMEM', 'EMFILE', 'EINVAL'], ...alone },
  'io_uring: read': { errors: [...reading, 'ECANCELED', 'EINVAL'], told: ['read'], ...about },
  'io_uring: write': { errors: [...writing, 'EAGAIN', 'ECANCELED', 'ENOMEM', 'EINVAL'], told: ['write'], ...about },
  madvise: { errors: ['ENOMEM', 'EINVAL', 'EAGAIN', 'EINTR'], ...alone },
  mbind: { errors: ['EPERM', 'ENOSYS'], ...alone },
  mkdirat: { errors: [...making, 'EMLINK', 'EPERM'], ...about },
  mmap: { errors: ['ENOMEM', 'EAGAIN', 'EPERM'], ...alone },
  munmap: { errors: ['ENOMEM'], ...alone },
  nanosleep: { errors: ['EINTR'], ...alone },
  open: { errors: ['EIO', 'EACCES', 'EPERM', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE', 'EINTR'], ...about },
  openat: { errors: opening, told: ['openat2', 'openat', 'readdir', 'unlinkat'], ...about },
  openat2: { errors: [...opening, 'EAGAIN', 'ENOSYS', 'EPERM'], ...about },
  posix_fadvise: { errors: ['EINVAL', 'ENOSYS', 'EIO'], ...about },
  pread: { errors: [...reading, 'EINVAL'], told: ['read', 'pread'], ...about },
  process_vm_readv: { errors: ['EPERM', 'ENOMEM', 'ENOSYS', 'EFAULT'], ...alone },
  pthread_create: { errors: ['EAGAIN'], ...alone },
  pwrite: { errors: [...writing, 'EAGAIN', 'EPERM', 'ENOMEM', 'EINVAL'], told: ['write'], ...about },
  'read (eventfd)': { errors: ['EINTR', 'EAGAIN'], ...alone },
  readdir: { errors: ['EIO', 'ENOMEM', 'ESTALE', 'EINTR'], told: ['readdir', 'unlinkat'], ...about },
  renameat: { errors: making, told: ['renameat2'], ...about },
  renameat2: { errors: [...making, 'EPERM', 'EBUSY', 'EINTR', 'EINVAL', 'ENOSYS'], ...about },
  statx: { errors: ['EIO', 'EPERM', 'ENOSYS', 'ENOMEM', 'EINVAL'], ...about },
  sync_file_range: { errors: ['EIO', 'ENOSPC', 'EDQUOT', 'ENOSYS', 'EINVAL', 'ENOMEM'], told: ['write'], ...about },
  unlinkat: { errors: ['EIO', 'EACCES', 'EPERM', 'EBUSY', 'EROFS', 'ENOMEM', 'ESTALE', 'EINTR'], ...about },
  write: { errors: [...writing, 'ENOMEM'], ...about },
  'write (eventfd)': { errors: ['EINTR'], ...alone },
};

/** Functions that the add-on imports and that are never refused, and why. */
const harmless: readonly (readonly [reason: string, names: RegExp])[] = [
  ['of memory and text: makes no call of the system', /^(mem|str|wmem|wcs|mbs?|wc|btow|tolower|sprintf|vsnprintf|__ctype|__isw|__tow|_?_?str(coll|ftime|to|xfrm)|__wc|__str)/],
  ['locales and streams of the C++ library, which is linked in and used by nobody; some are watched by refuse.c', /^(setlocale|__(dup|free|new|use)locale|__nl_langinfo|iconv|(bind)?_?textdomain|bind_textdomain|d?gettext|f(open64|dopen|close|flush|ileno|putc|puts|write)|setvbuf|stderr|ioctl|lseek64|fstat64|writev|poll|getentropy|arc4random)/],
  ['the heap, which ends in std::bad_alloc', /^(malloc|realloc|free)$/],
  ['of the loader and the compiler', /^(_ITM|_ZG|__cxa|__gmon|__tls|_dl_find|__errno|__libc_single)/],
  ['the driver of CUDA, which tests of its own refuse', /^(dlopen|dlsym|dlerror)$/],
  ['locks and the like in memory: an error is one of the caller', /^(__)?pthread_(cond|mutex|once|key|getspecific|setspecific|detach|join|getcpuclockid|setname_np|sigmask)/],
  ['cannot fail, or says no more than that nothing is known, or that less time has passed', /^(clock_gettime|gettimeofday|time|nanosleep|getpid|get_nprocs|sysconf|uname|abort|sigdelset|sigfillset)$/],
  ['seeds what a benchmark writes, and the clock does where it fails', /^getrandom$/],
];

/** The calls that refuse.c wraps without a name of their own, or by another. */
const wrapped: ReadonlySet<string> = new Set([...Object.keys(refusable), 'read', 'syscall']);
const node = /^napi_|@(GLIBCXX|CXXABI)/;
export const library = fileURLToPath(new URL('../../../build/Release/snapshard.node', import.meta.url));

/** What the add-on imports and nobody has said anything about. */
export function unknownImports(path = library): string[] {
  const symbols = execFileSync('nm', ['-D', '--undefined-only', path], { encoding: 'utf8' });
  const names = symbols.split('\n').map((line) => line.trim().split(/\s+/).at(-1) ?? '').filter((name) => name !== '' && !node.test(name));
  return names
    .map((name) => name.replace(/@.*/, ''))
    .filter((name) => !wrapped.has(name) && !harmless.some(([, pattern]) => pattern.test(name)));
}

/** Calls that refuse.h names and the table above does not, or the other way round. */
export function unlistedCalls(): string[] {
  const header = readFileSync(new URL('refuse.h', import.meta.url), 'utf8');
  const named = [...header.matchAll(/X\([A-Z0-9_]+, "([^"]+)"\)/g)].map(([, name = '']) => name);
  const never = new Set(['another call', 'read']);
  const missing = named.filter((name) => !never.has(name) && !(name in refusable));
  return [...missing, ...Object.keys(refusable).filter((name) => !named.includes(name))];
}
