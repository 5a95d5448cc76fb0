/*
 * Preloaded into Node.js (LD_PRELOAD) and loaded as an add-on too: counts the calls of the system that one library
 * makes, and makes them fail as told. What others in the process call goes through untouched. See refusal.ts.
 */
#define _GNU_SOURCE
#include "refuse.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))real(#name))
#define OURS is_ours(__builtin_return_address(0))

static void *real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

/* One that fails with -1 and errno; `CALL` with its arguments is what it does else. */
#define FAILING(call, failed, CALL)       \
  do {                                    \
    const int error = OURS ? met(call) : 0; \
    if (error == 0) return CALL;          \
    errno = error;                        \
    return failed;                        \
  } while (0)

int eventfd(unsigned count, int flags) {
  const int error = OURS ? met(CALL_EVENTFD) : 0;
  const int fd = error == 0 ? REAL(eventfd)(count, flags) : -1;
  if (error != 0) errno = error;
  else if (OURS) is_event(fd, 1);
  return fd;
}

int fallocate(int fd, int mode, off_t offset, off_t bytes) {
  FAILING(CALL_FALLOCATE, -1, REAL(fallocate)(fd, mode, offset, bytes));
}
int fdatasync(int fd) { FAILING(CALL_FDATASYNC, -1, REAL(fdatasync)(fd)); }
int fsync(int fd) { FAILING(CALL_FSYNC, -1, REAL(fsync)(fd)); }
int ftruncate(int fd, off_t bytes) { FAILING(CALL_FTRUNCATE, -1, REAL(ftruncate)(fd, bytes)); }
int flock(int fd, int operation) { FAILING(CALL_FLOCK, -1, REAL(flock)(fd, operation)); }
int fstat(int fd, struct stat *status) { FAILING(CALL_FSTAT, -1, REAL(fstat)(fd, status)); }
int fstatat(int fd, const char *path, struct stat *status, int flags) {
  FAILING(CALL_FSTATAT, -1, REAL(fstatat)(fd, path, status, flags));
}
int fstatfs(int fd, struct statfs *status) { FAILING(CALL_FSTATFS, -1, REAL(fstatfs)(fd, status)); }
int mkdirat(int fd, const char *path, mode_t mode) { FAILING(CALL_MKDIRAT, -1, REAL(mkdirat)(fd, path, mode)); }
int unlinkat(int fd, const char *path, int flags) { FAILING(CALL_UNLINKAT, -1, REAL(unlinkat)(fd, path, flags)); }
int renameat(int from, const char *name, int to, const char *other) {
  FAILING(CALL_RENAMEAT, -1, REAL(renameat)(from, name, to, other));
}
int sync_file_range(int fd, off64_t offset, off64_t bytes, unsigned flags) {
  FAILING(CALL_SYNC_FILE_RANGE, -1, REAL(sync_file_range)(fd, offset, bytes, flags));
}
int madvise(void *memory, size_t bytes, int advice) {
  FAILING(CALL_MADVISE, -1, REAL(madvise)(memory, bytes, advice));
}
int nanosleep(const struct timespec *time, struct timespec *left) {
  FAILING(CALL_NANOSLEEP, -1, REAL(nanosleep)(time, left));
}
DIR *fdopendir(int fd) { FAILING(CALL_FDOPENDIR, NULL, REAL(fdopendir)(fd)); }
struct dirent *readdir(DIR *directory) { FAILING(CALL_READDIR, NULL, REAL(readdir)(directory)); }

/* These tell the error itself. */
int posix_fadvise(int fd, off_t offset, off_t bytes, int advice) {
  const int error = OURS ? met(CALL_POSIX_FADVISE) : 0;
  return error != 0 ? error : REAL(posix_fadvise)(fd, offset, bytes, advice);
}
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  const int error = OURS ? met(CALL_PTHREAD_CREATE) : 0;
  return error != 0 ? error : REAL(pthread_create)(thread, attributes, run, argument);
}

/* Linux frees a descriptor whatever close says. */
int close(int fd) {
  if (!OURS) return REAL(close)(fd);
  const int error = met(CALL_CLOSE);
  is_event(fd, 0);
  forget_ring(fd);
  if (error == 0 || !plants(PLANT_DESCRIPTOR)) {
    const int closed = REAL(close)(fd);
    if (error == 0) return closed;
  }
  errno = error;
  return -1;
}
int closedir(DIR *directory) {
  const int error = OURS ? met(CALL_CLOSEDIR) : 0;
  const int closed = REAL(closedir)(directory);
  if (error == 0) return closed;
  errno = error;
  return -1;
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  FAILING(CALL_OPEN, -1, REAL(open)(path, flags, mode));
}
int openat(int fd, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  FAILING(CALL_OPENAT, -1, REAL(openat)(fd, path, flags, mode));
}
int fcntl(int fd, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  FAILING(CALL_FCNTL, -1, REAL(fcntl)(fd, command, argument));
}

/* These may also come short. */
#define TRANSFERRING(call, bytes, CALL)            \
  do {                                             \
    const int error = OURS ? met(call) : 0;        \
    if (error == SHORT && (bytes) > 1) (bytes) /= 2; \
    if (error <= 0) return CALL;                   \
    if (plants(PLANT_LOST)) return (ssize_t)(bytes); \
    errno = error;                                 \
    return -1;                                     \
  } while (0)

ssize_t pread(int fd, void *data, size_t bytes, off_t offset) {
  TRANSFERRING(CALL_PREAD, bytes, REAL(pread)(fd, data, bytes, offset));
}
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
  TRANSFERRING(CALL_PWRITE, bytes, REAL(pwrite)(fd, data, bytes, offset));
}
ssize_t read(int fd, void *data, size_t bytes) {
  if (OURS && event_at(fd)) FAILING(CALL_READ_EVENT, -1, REAL(read)(fd, data, bytes));
  TRANSFERRING(CALL_READ, bytes, REAL(read)(fd, data, bytes));
}
ssize_t write(int fd, const void *data, size_t bytes) {
  if (OURS && event_at(fd)) FAILING(CALL_WRITE_EVENT, -1, REAL(write)(fd, data, bytes));
  TRANSFERRING(CALL_WRITE, bytes, REAL(write)(fd, data, bytes));
}
ssize_t process_vm_readv(pid_t process, const struct iovec *to, unsigned long to_count, const struct iovec *from,
                         unsigned long from_count, unsigned long flags) {
  FAILING(CALL_PROCESS_VM_READV, -1, REAL(process_vm_readv)(process, to, to_count, from, from_count, flags));
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if (!OURS) return REAL(mmap)(at, bytes, protection, flags, fd, offset);
  const int error = met(CALL_MMAP);
  if (error != 0) {
    errno = error;
    return MAP_FAILED;
  }
  void *made = REAL(mmap)(at, bytes, protection, flags, fd, offset);
  if (made != MAP_FAILED) {
    hold_mapped((long)bytes);
    note_ring_mapping(fd, offset, made);
  }
  return made;
}
/* Where the system refuses to split a mapping, what was to go stays: that much is not the library's to answer for. */
int munmap(void *at, size_t bytes) {
  if (!OURS) return REAL(munmap)(at, bytes);
  const int error = met(CALL_MUNMAP);
  if (error == 0 && plants(PLANT_MAPPING)) return 0;
  hold_mapped(-(long)bytes);
  if (error == 0) return REAL(munmap)(at, bytes);
  errno = error;
  return -1;
}

static int call_of(long number) {
  switch (number) {
    case SYS_io_uring_enter: return CALL_IO_URING_ENTER;
    case SYS_io_uring_register: return CALL_IO_URING_REGISTER;
    case SYS_io_uring_setup: return CALL_IO_URING_SETUP;
    case SYS_mbind: return CALL_MBIND;
    case SYS_futex: return CALL_NONE; /* A lock of the compiler's, around what is made once. */
    case SYS_openat2: return CALL_OPENAT2;
    case SYS_renameat2: return CALL_RENAMEAT2;
    case SYS_statx: return CALL_STATX;
    default: return CALL_UNKNOWN;
  }
}

long syscall(long number, ...) {
  va_list rest;
  va_start(rest, number);
  long a[6];
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  const int ours = OURS;
  const int call = call_of(number);
  const int error = ours && call != CALL_NONE ? met(call) : 0;
  if (error != 0) {
    errno = error;
    return -1;
  }
  if (ours && number == SYS_io_uring_enter) alter_submissions((int)a[0]);
  const long result = REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  const int said = errno;
  if (ours && number == SYS_io_uring_setup && result >= 0) note_ring((int)result, (struct io_uring_params *)a[1]);
  if (ours && number == SYS_io_uring_enter) alter_completions((int)a[0]);
  errno = said;
  return result;
}

/* The heap, to see that nothing is lost. */
extern void *__libc_malloc(size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

void *malloc(size_t bytes) {
  void *made = __libc_malloc(bytes);
  if (OURS) hold_block(made);
  return made;
}
void *realloc(void *memory, size_t bytes) {
  const int ours = let_block_go(memory) || OURS;
  void *made = __libc_realloc(memory, bytes);
  if (ours) hold_block(made);
  return made;
}
void free(void *memory) {
  (void)let_block_go(memory);
  __libc_free(memory);
}

/* Of streams in the library of C++, linked with it and used by nobody. */
#define NEVER(result, name, parameters, arguments)  \
  result name parameters {                          \
    if (OURS) (void)met(CALL_UNKNOWN);              \
    return REAL(name) arguments;                    \
  }
NEVER(FILE *, fopen64, (const char *path, const char *mode), (path, mode))
NEVER(FILE *, fdopen, (int fd, const char *mode), (fd, mode))
NEVER(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
NEVER(off64_t, lseek64, (int fd, off64_t offset, int from), (fd, offset, from))
NEVER(int, poll, (struct pollfd * list, nfds_t count, int time), (list, count, time))
NEVER(int, fstat64, (int fd, struct stat64 *status), (fd, status))
NEVER(int, getentropy, (void *data, size_t bytes), (data, bytes))
