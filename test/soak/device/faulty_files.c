/*
 * A file system that fails when it is told to: passes a directory on through FUSE.
 *
 *   faulty_files DIRECTORY MOUNT_POINT
 *
 * Prints "ready", then obeys the lines of its standard input (faults.h); at their end it unmounts and exits. Nothing is
 * cached on the way.
 */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <fuse.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "faults.h"

/* Besides the calls of a file system: those of open, write, read and rename that ask for something rare. */
enum operation {
  GETATTR,
  OPEN,
  CREATE,
  READ,
  WRITE,
  FSYNC,
  FSYNCDIR,
  FALLOCATE,
  TRUNCATE,
  MKDIR,
  RENAME,
  UNLINK,
  RMDIR,
  OPENDIR,
  READDIR,
  FLUSH,
  STATFS,
  DIRECT_READ,
  DIRECT_WRITE,
  RENAME_FLAGS,
};
static const char *const operation_names[] = {
    "getattr",   "open",     "create", "read",        "write",        "fsync",        "fsyncdir",
    "fallocate", "truncate", "mkdir",  "rename",      "unlink",       "rmdir",        "opendir",
    "readdir",   "flush",    "statfs", "direct_read", "direct_write", "rename_flags", NULL};

static const char *source;

struct path {
  char text[4096];
};

static struct path path_of(const char *path) {
  struct path full;
  snprintf(full.text, sizeof full.text, "%s%s", source, path);
  return full;
}

static void hold(void) {
  pthread_mutex_lock(&faults_mutex);
  const long generation = faults_generation;
  while (generation == faults_generation) pthread_cond_wait(&faults_lifted, &faults_mutex);
  pthread_mutex_unlock(&faults_mutex);
}

/* 0, or the error that the operation ends with; `*bytes`, where given, becomes less where it is to come short. */
static int befall(enum operation operation, size_t *bytes) {
  const struct fault fault = faults_next(operation);
  const struct timespec pause = {fault.value / 1000, fault.value % 1000 * 1000000L};
  if (fault.action == ACTION_ERRNO) return -fault.value;
  if (fault.action == ACTION_DELAY) nanosleep(&pause, NULL);
  if (fault.action == ACTION_HOLD) hold();
  if (fault.action == ACTION_SHORT && bytes != NULL && *bytes > 1)
    *bytes = *bytes / 2 + (size_t)fault.value % *bytes / 2;
  return 0;
}

#define FAIL_IF_TOLD(operation)               \
  do {                                        \
    const int told = befall(operation, NULL); \
    if (told != 0) return told;               \
  } while (0)

static int answer(long result) { return result < 0 ? -errno : (int)result; }

static int on_getattr(const char *path, struct stat *status, struct fuse_file_info *file) {
  FAIL_IF_TOLD(GETATTR);
  return answer(file != NULL ? fstat((int)file->fh, status) : lstat(path_of(path).text, status));
}

static int on_open(const char *path, struct fuse_file_info *file) {
  FAIL_IF_TOLD(OPEN);
  const int fd = open(path_of(path).text, (file->flags & ~(O_DIRECT | O_CREAT | O_EXCL)) | O_CLOEXEC);
  if (fd < 0) return -errno;
  file->fh = (uint64_t)fd;
  /* No other file system in user space may let a write come short. */
  file->direct_io = 1;
  return 0;
}

static int on_create(const char *path, mode_t mode, struct fuse_file_info *file) {
  FAIL_IF_TOLD(CREATE);
  const int fd = open(path_of(path).text, (file->flags & ~O_DIRECT) | O_CREAT | O_CLOEXEC, mode);
  if (fd < 0) return -errno;
  file->fh = (uint64_t)fd;
  /* No other file system in user space may let a write come short. */
  file->direct_io = 1;
  return 0;
}

static int on_read(const char *path, char *data, size_t bytes, off_t offset, struct fuse_file_info *file) {
  (void)path;
  if ((file->flags & O_DIRECT) != 0) FAIL_IF_TOLD(DIRECT_READ);
  const int told = befall(READ, &bytes);
  return told != 0 ? told : answer(pread((int)file->fh, data, bytes, offset));
}

static int on_write(const char *path, const char *data, size_t bytes, off_t offset, struct fuse_file_info *file) {
  (void)path;
  if ((file->flags & O_DIRECT) != 0) FAIL_IF_TOLD(DIRECT_WRITE);
  const int told = befall(WRITE, &bytes);
  return told != 0 ? told : answer(pwrite((int)file->fh, data, bytes, offset));
}

static int on_fsync(const char *path, int data_only, struct fuse_file_info *file) {
  (void)path;
  FAIL_IF_TOLD(FSYNC);
  return answer(data_only ? fdatasync((int)file->fh) : fsync((int)file->fh));
}

static int on_fsyncdir(const char *path, int data_only, struct fuse_file_info *file) {
  (void)path;
  (void)data_only;
  (void)file;
  FAIL_IF_TOLD(FSYNCDIR);
  return 0;
}

static int on_fallocate(const char *path, int mode, off_t offset, off_t bytes, struct fuse_file_info *file) {
  (void)path;
  FAIL_IF_TOLD(FALLOCATE);
  return answer(fallocate((int)file->fh, mode, offset, bytes));
}

static int on_truncate(const char *path, off_t bytes, struct fuse_file_info *file) {
  FAIL_IF_TOLD(TRUNCATE);
  return answer(file != NULL ? ftruncate((int)file->fh, bytes) : truncate(path_of(path).text, bytes));
}

static int on_mkdir(const char *path, mode_t mode) {
  FAIL_IF_TOLD(MKDIR);
  return answer(mkdir(path_of(path).text, mode));
}

static int on_rename(const char *from, const char *to, unsigned flags) {
  if (flags != 0) FAIL_IF_TOLD(RENAME_FLAGS);
  FAIL_IF_TOLD(RENAME);
  return answer(renameat2(AT_FDCWD, path_of(from).text, AT_FDCWD, path_of(to).text, flags));
}

static int on_unlink(const char *path) {
  FAIL_IF_TOLD(UNLINK);
  return answer(unlink(path_of(path).text));
}

static int on_rmdir(const char *path) {
  FAIL_IF_TOLD(RMDIR);
  return answer(rmdir(path_of(path).text));
}

static int on_opendir(const char *path, struct fuse_file_info *file) {
  (void)path;
  (void)file;
  FAIL_IF_TOLD(OPENDIR);
  return 0;
}

static int on_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file,
                      enum fuse_readdir_flags flags) {
  (void)offset;
  (void)file;
  (void)flags;
  FAIL_IF_TOLD(READDIR);
  DIR *directory = opendir(path_of(path).text);
  if (directory == NULL) return -errno;
  for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) fill(buffer, entry->d_name, NULL, 0, 0);
  closedir(directory);
  return 0;
}

static int on_flush(const char *path, struct fuse_file_info *file) {
  (void)path;
  (void)file;
  FAIL_IF_TOLD(FLUSH);
  return 0;
}

static int on_release(const char *path, struct fuse_file_info *file) {
  (void)path;
  close((int)file->fh);
  return 0;
}

static int on_statfs(const char *path, struct statvfs *status) {
  FAIL_IF_TOLD(STATFS);
  return answer(statvfs(path_of(path).text, status));
}

/* With this process the connection ends, and with it all that waits for an answer. */
static void *obey(void *mount_point) {
  static char line[256];
  while (fgets(line, sizeof line, stdin) != NULL) faults_command(operation_names, line);
  umount2(mount_point, MNT_DETACH);
  _exit(0);
}

static void *on_init(struct fuse_conn_info *connection, struct fuse_config *config) {
  /* Else the kernel makes EIO of a direct write that comes short. */
  connection->want &= ~(unsigned)FUSE_CAP_ASYNC_DIO;
  config->use_ino = 1;
  config->hard_remove = 1;
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  pthread_t thread;
  if (pthread_create(&thread, NULL, obey, fuse_get_context()->private_data) != 0) exit(1);
  pthread_detach(thread);
  puts("ready");
  fflush(stdout);
  return NULL;
}

static const struct fuse_operations operations = {
    .init = on_init,
    .getattr = on_getattr,
    .open = on_open,
    .create = on_create,
    .read = on_read,
    .write = on_write,
    .fsync = on_fsync,
    .fsyncdir = on_fsyncdir,
    .truncate = on_truncate,
    .mkdir = on_mkdir,
    .rename = on_rename,
    .unlink = on_unlink,
    .rmdir = on_rmdir,
    .opendir = on_opendir,
    .readdir = on_readdir,
    .flush = on_flush,
    .release = on_release,
    .statfs = on_statfs,
    .fallocate = on_fallocate,
};

int main(int count, char **arguments) {
  if (count != 3) {
    fputs("usage: faulty_files DIRECTORY MOUNT_POINT\n", stderr);
    return 2;
  }
  source = arguments[1];
  setvbuf(stdin, NULL, _IONBF, 0);
  umask(0);
  char *options[] = {arguments[0], (char *)"-f", (char *)"-o", (char *)"allow_other,default_permissions",
                     arguments[2], NULL};
  return fuse_main(5, options, &operations, arguments[2]);
}
