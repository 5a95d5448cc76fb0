/*
 * Preloaded into a writer (LD_PRELOAD), plants a fault in how it syncs, by SYNC_FAULT:
 *
 *   shards | files | partial | root   these syncs do nothing: fdatasync; fsync of a file; of a directory that is being
 *                                     filled; of any other directory
 *   late                              files and directories that are being filled are synced just before the root, and
 *                                     so after the rename that publishes them
 *   deaf                              all are done, and what they say is not heard
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LATE_MAX = 256 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int late[LATE_MAX];
static int late_count;

static const char *kind_of(int fd) {
  struct stat status;
  char link[64];
  char path[4096] = "";
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) return "files";
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof path - 1) < 0) abort();
  return strstr(path, ".partial") != NULL ? "partial" : "root";
}

static void remember(int fd) {
  pthread_mutex_lock(&mutex);
  if (late_count == LATE_MAX || (late[late_count++] = dup(fd)) < 0) abort();
  pthread_mutex_unlock(&mutex);
}

static void catch_up(void) {
  pthread_mutex_lock(&mutex);
  while (late_count > 0) {
    const int fd = late[--late_count];
    syscall(SYS_fsync, fd);
    close(fd);
  }
  pthread_mutex_unlock(&mutex);
}

static int sync_as_planted(const char *kind, long call, int fd) {
  const char *fault = getenv("SYNC_FAULT");
  if (fault == NULL) return (int)syscall(call, fd);
  if (strcmp(fault, kind) == 0) return 0;
  if (strcmp(fault, "deaf") == 0) return (void)syscall(call, fd), 0;
  if (strcmp(fault, "late") == 0) {
    if (strcmp(kind, "root") != 0) {
      remember(fd);
      return 0;
    }
    catch_up();
  }
  return (int)syscall(call, fd);
}

int fsync(int fd) { return sync_as_planted(kind_of(fd), SYS_fsync, fd); }
int fdatasync(int fd) { return sync_as_planted("shards", SYS_fdatasync, fd); }
