/*
 * A disk that remembers: serves one file through FUSE, and records every write and flush that reaches it.
 *
 *   recorder MOUNT_POINT IMAGE RECORDING SEED
 *
 * MOUNT_POINT is a file; over it appears the disk whose bytes are those of IMAGE, which is changed. Prints "ready". Each
 * line of the standard input is recorded as a mark, then answered with the same line, unless it sets a fault of the disk
 * (../device/faults.h; its operations are read, write and flush). At the end of the input it unmounts and exits.
 *
 * A write is recorded when it completes, and completions are held back and shuffled: what is recorded before a flush
 * had completed before the flush began, and so is durable after it. All else is not, however soon it came.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "../device/faults.h"

enum { WRITE_BYTES_MAX = 1 << 20, REQUEST_BYTES_MAX = WRITE_BYTES_MAX + 4096, HELD_MAX = 12 };
enum kind { KIND_WRITE = 1, KIND_FLUSH = 2, KIND_MARK = 3 };
static const char *const operation_names[] = {"read", "write", "flush", NULL};

/* Little-endian on disk, as the machines are that this runs on; `bytes` bytes follow. */
struct record {
  uint32_t kind;
  uint32_t bytes;
  uint64_t offset;
  /* How many records there were when it was asked for. */
  uint64_t asked;
};

/* A write that was done and not answered yet. */
struct held {
  uint64_t unique;
  struct record record;
  char *data;
};

static int device, image, recording;
static uint64_t records, image_bytes, random_state;
static struct held held[HELD_MAX];
static unsigned held_count;

static void require(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "recorder: %s: %s\n", what, strerror(errno));
  exit(1);
}

static unsigned random_below(unsigned limit) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(random_state >> 33) % limit;
}

static void append(struct record record, const void *data) {
  const struct iovec parts[] = {{&record, sizeof record}, {(void *)data, record.bytes}};
  require(writev(recording, parts, 2) == (ssize_t)(sizeof record + record.bytes), "cannot record");
  records++;
}

static void reply(uint64_t unique, int error, const void *data, size_t bytes) {
  struct fuse_out_header header = {(uint32_t)(sizeof header + bytes), -error, unique};
  const struct iovec parts[] = {{&header, sizeof header}, {(void *)data, bytes}};
  /* ENOENT: the caller was interrupted and no longer waits. */
  require(writev(device, parts, 2) >= 0 || errno == ENOENT, "cannot reply");
}

static void complete_one(void) {
  const unsigned index = random_below(held_count);
  const struct held done = held[index];
  held[index] = held[--held_count];
  append(done.record, done.data);
  free(done.data);
  const struct fuse_write_out out = {.size = done.record.bytes};
  reply(done.unique, 0, &out, sizeof out);
}

static void on_init(const struct fuse_in_header *request, const struct fuse_init_in *in) {
  struct fuse_init_out out = {.major = 7, .minor = 31, .max_readahead = in->max_readahead};
  out.flags = in->flags & (FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ASYNC_DIO | FUSE_MAX_PAGES);
  out.max_background = 64;
  out.congestion_threshold = 48;
  out.max_write = WRITE_BYTES_MAX;
  out.max_pages = WRITE_BYTES_MAX / 4096;
  out.time_gran = 1;
  reply(request->unique, 0, &out, sizeof out);
}

static void on_getattr(const struct fuse_in_header *request) {
  struct fuse_attr_out out = {.attr_valid = 3600};
  out.attr.ino = FUSE_ROOT_ID;
  out.attr.mode = S_IFREG | 0600;
  out.attr.nlink = 1;
  out.attr.blksize = 4096;
  out.attr.size = image_bytes;
  out.attr.blocks = image_bytes / 512;
  reply(request->unique, 0, &out, sizeof out);
}

static void on_read(const struct fuse_in_header *request, const struct fuse_read_in *in) {
  static char data[WRITE_BYTES_MAX];
  const size_t wanted = in->size < sizeof data ? in->size : sizeof data;
  const ssize_t got = pread(image, data, wanted, (off_t)in->offset);
  reply(request->unique, got < 0 ? errno : 0, data, got < 0 ? 0 : (size_t)got);
}

static void on_write(const struct fuse_in_header *request, const struct fuse_write_in *in) {
  const char *data = (const char *)(in + 1);
  require(pwrite(image, data, in->size, (off_t)in->offset) == (ssize_t)in->size, "cannot write the image");
  if (held_count == HELD_MAX) complete_one();
  struct held *next = &held[held_count++];
  next->unique = request->unique;
  next->record = (struct record){KIND_WRITE, in->size, in->offset, records};
  next->data = malloc(in->size);
  require(next->data != NULL, "no memory");
  memcpy(next->data, data, in->size);
}

static void on_open(const struct fuse_in_header *request) {
  const struct fuse_open_out out = {.open_flags = FOPEN_DIRECT_IO};
  reply(request->unique, 0, &out, sizeof out);
}

static void on_statfs(const struct fuse_in_header *request) {
  const struct fuse_statfs_out out = {.st = {.bsize = 4096, .namelen = 255, .frsize = 4096}};
  reply(request->unique, 0, &out, sizeof out);
}

static int mark_next(void);

static int operation_of(const struct fuse_in_header *request) {
  switch (request->opcode) {
    case FUSE_READ: return 0;
    case FUSE_WRITE: return 1;
    case FUSE_FSYNC: return 2;
    default: return -1;
  }
}

/* Whether the request failed, and was answered. A delay, and a hold, is one of the whole disk. */
static int befall(const struct fuse_in_header *request) {
  const int operation = operation_of(request);
  if (operation < 0) return 0;
  const struct fault fault = faults_next(operation);
  const struct timespec pause = {fault.value / 1000, fault.value % 1000 * 1000000L};
  const long generation = faults_generation;
  if (fault.action == ACTION_DELAY) nanosleep(&pause, NULL);
  while (fault.action == ACTION_HOLD && generation == faults_generation && mark_next()) continue;
  if (fault.action == ACTION_ERRNO) reply(request->unique, fault.value, NULL, 0);
  return fault.action == ACTION_ERRNO;
}

static void serve(const struct fuse_in_header *request) {
  const void *in = request + 1;
  if (befall(request)) return;
  switch (request->opcode) {
    case FUSE_INIT: on_init(request, in); break;
    case FUSE_GETATTR: on_getattr(request); break;
    case FUSE_OPEN: on_open(request); break;
    case FUSE_READ: on_read(request, in); break;
    case FUSE_WRITE: on_write(request, in); break;
    case FUSE_STATFS: on_statfs(request); break;
    case FUSE_FSYNC:
      append((struct record){KIND_FLUSH, 0, 0, records}, "");
      reply(request->unique, 0, NULL, 0);
      break;
    case FUSE_FLUSH:
    case FUSE_RELEASE:
    case FUSE_ACCESS: reply(request->unique, 0, NULL, 0); break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT: break;
    default: reply(request->unique, ENOSYS, NULL, 0);
  }
}

static void serve_next(void) {
  static union {
    char bytes[REQUEST_BYTES_MAX];
    struct fuse_in_header header;
  } request;
  const ssize_t got = read(device, &request, sizeof request);
  if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) return;
  require(got >= (ssize_t)sizeof request.header, "cannot read requests");
  serve(&request.header);
}

static int mark_next(void) {
  char line[4096];
  if (fgets(line, sizeof line, stdin) == NULL) return 0;
  if (faults_command(operation_names, line)) return 1;
  const struct record mark = {KIND_MARK, (uint32_t)strcspn(line, "\n"), 0, records};
  append(mark, line);
  fputs(line, stdout);
  fflush(stdout);
  return 1;
}

static void run(void) {
  struct pollfd inputs[] = {{device, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  const struct timespec held_for = {0, 200 * 1000};
  for (;;) {
    const int ready = ppoll(inputs, 2, held_count > 0 ? &held_for : NULL, NULL);
    if (ready < 0 && errno == EINTR) continue;
    require(ready >= 0, "cannot wait");
    if (ready == 0 || (held_count > 0 && random_below(8) == 0)) complete_one();
    if ((inputs[0].revents & POLLERR) != 0) return;
    if ((inputs[0].revents & POLLIN) != 0) serve_next();
    if ((inputs[1].revents & (POLLIN | POLLHUP)) != 0 && !mark_next()) return;
  }
}

static void mount_at(const char *place) {
  char options[128];
  snprintf(options, sizeof options, "fd=%d,rootmode=100600,user_id=0,group_id=0", device);
  require(mount("recorder", place, "fuse", MS_NOSUID | MS_NODEV, options) == 0, "cannot mount");
}

int main(int count, char **arguments) {
  errno = EINVAL;
  require(count == 5, "usage: recorder MOUNT_POINT IMAGE RECORDING SEED");
  device = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  require(device >= 0, "/dev/fuse");
  image = open(arguments[2], O_RDWR | O_CLOEXEC);
  require(image >= 0, arguments[2]);
  recording = open(arguments[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  require(recording >= 0, arguments[3]);
  struct stat status;
  require(fstat(image, &status) == 0, "fstat");
  image_bytes = (uint64_t)status.st_size;
  random_state = strtoull(arguments[4], NULL, 10);
  setvbuf(stdin, NULL, _IONBF, 0);
  mount_at(arguments[1]);
  puts("ready");
  fflush(stdout);
  run();
  while (held_count > 0) complete_one();
  umount2(arguments[1], MNT_DETACH);
  return 0;
}
