/* What refuse.c wraps, and what is told of it. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

struct io_uring_params;

#define CALLS(X)                                                                                                    \
  X(CLOSE, "close") X(CLOSEDIR, "closedir") X(EVENTFD, "eventfd") X(FALLOCATE, "fallocate") X(FCNTL, "fcntl")       \
  X(FDATASYNC, "fdatasync") X(FDOPENDIR, "fdopendir") X(FLOCK, "flock") X(FSTAT, "fstat") X(FSTATAT, "fstatat")     \
  X(FSTATFS, "fstatfs") X(FSYNC, "fsync") X(FTRUNCATE, "ftruncate") X(IO_URING_ENTER, "io_uring_enter")             \
  X(IO_URING_REGISTER, "io_uring_register") X(IO_URING_SETUP, "io_uring_setup") X(MADVISE, "madvise")               \
  X(MBIND, "mbind") X(MKDIRAT, "mkdirat") X(MMAP, "mmap") X(MUNMAP, "munmap") X(NANOSLEEP, "nanosleep")             \
  X(OPEN, "open") X(OPENAT, "openat") X(OPENAT2, "openat2") X(POSIX_FADVISE, "posix_fadvise") X(PREAD, "pread")     \
  X(PROCESS_VM_READV, "process_vm_readv") X(PTHREAD_CREATE, "pthread_create") X(PWRITE, "pwrite") X(READ, "read")   \
  X(READDIR, "readdir") X(READ_EVENT, "read (eventfd)") X(RENAMEAT, "renameat") X(RENAMEAT2, "renameat2")           \
  X(STATX, "statx") X(SYNC_FILE_RANGE, "sync_file_range") X(UNLINKAT, "unlinkat") X(URING_READ, "io_uring: read")   \
  X(URING_WRITE, "io_uring: write") X(WRITE, "write") X(WRITE_EVENT, "write (eventfd)") X(UNKNOWN, "another call")

enum call {
#define X(name, text) CALL_##name,
  CALLS(X)
#undef X
  CALL_COUNT,
  CALL_NONE
};

/* In place of an error: half of the bytes. */
enum { SHORT = -1 };

/* Faults of the test itself, to prove that they are found: a failed transfer that says it is done; a failed close that
 * keeps its descriptor; memory that is not given back. */
enum plant { PLANT_NONE, PLANT_LOST, PLANT_DESCRIPTOR, PLANT_MAPPING };

#pragma GCC visibility push(hidden)
int is_ours(const void *caller);
/* Counts the call. Returns the error that it is to fail with, SHORT, or 0. */
int met(int call);
int plants(int plant);

void hold_mapped(long bytes);
/* Blocks of the heap that the library took; whoever frees them. */
void hold_block(const void *block);
int let_block_go(const void *block);

void is_event(int fd, int yes);
int event_at(int fd);

/* Rings: requests that are to fail are not made, and their completions say so. */
void note_ring(int fd, const struct io_uring_params *parameters);
void note_ring_mapping(int fd, off_t offset, void *memory);
void forget_ring(int fd);
void alter_submissions(int fd);
void alter_completions(int fd);
#pragma GCC visibility pop
