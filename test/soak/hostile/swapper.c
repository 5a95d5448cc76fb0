/*
 * Swaps what is below a directory for links and special files, and back, as fast as it can, until SIGTERM:
 *
 *   swapper ROOT STOCK CANARY SEED
 *
 * STOCK is an empty directory of the same file system. Links lead into CANARY, nowhere, to themselves, to /dev/zero.
 * What was taken is put back before the next. At the end: how many swaps there were.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DECOY_KINDS = 6, LEVELS_MAX = 3, PATH_BYTES = 4096, PAUSE_NANOSECONDS_MAX = 300 * 1000, LONG_PAUSE = 60 };

static volatile sig_atomic_t stopped;
static unsigned long long state;
static const char *canary;
static int stock;
static unsigned long lost;

struct place {
  int parent;
  bool is_directory;
  char name[NAME_MAX + 1];
  /* Below the step or whatever it is that lies in the root; empty for that itself. */
  char below[PATH_BYTES];
};

static void stop(int signal) { stopped = signal; }

static unsigned below(unsigned limit) {
  state = state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (unsigned)(state >> 33) % limit;
}

/* One of the names, each as likely. */
static bool pick(int directory, char *name) {
  DIR *stream = fdopendir(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (stream == NULL) return false;
  unsigned seen = 0;
  for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (below(++seen) == 0) strcpy(name, entry->d_name);
  }
  closedir(stream);
  return seen > 0;
}

/* Opens the parent. Only directories and regular files are worth a swap. */
static bool choose(int root, struct place *place) {
  place->parent = dup(root);
  place->below[0] = '\0';
  for (int level = 0; level < LEVELS_MAX; level++) {
    struct stat information;
    if (!pick(place->parent, place->name)) return false;
    if (fstatat(place->parent, place->name, &information, AT_SYMLINK_NOFOLLOW) != 0) return false;
    place->is_directory = S_ISDIR(information.st_mode);
    if (!place->is_directory) return S_ISREG(information.st_mode);
    if (below(2) == 0) return true;
    const int child = openat(place->parent, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0) return false;
    close(place->parent);
    place->parent = child;
    if (level > 0) strcat(strcat(place->below, place->name), "/");
  }
  return false;
}

static void make_decoy(const struct place *place) {
  char target[2 * PATH_BYTES];
  unlinkat(stock, "decoy", 0);
  switch (below(DECOY_KINDS)) {
    case 0:
      mknodat(stock, "decoy", S_IFIFO | 0666, 0);
      return;
    case 1:
      mknodat(stock, "decoy", S_IFREG | 0666, 0);
      return;
    case 2:
      symlinkat(below(2) == 0 ? place->name : "/dev/zero", stock, "decoy");
      return;
    case 3:
      snprintf(target, sizeof(target), "%s/made-by-a-follower", canary);
      break;
    default:
      snprintf(target, sizeof(target), "%s/%s%s", canary, place->below, place->below[0] != '\0' ? place->name : "");
  }
  symlinkat(target, stock, "decoy");
}

/* It may be gone or another by now; whoever swaps must not make things up. */
static void put_back(const struct place *place, ino_t decoy) {
  struct stat there;
  const bool found = fstatat(place->parent, place->name, &there, AT_SYMLINK_NOFOLLOW) == 0;
  const unsigned how = found ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (!found || there.st_ino == decoy) {
    if (renameat2(stock, "decoy", place->parent, place->name, how) == 0) return;
  }
  char aside[32];
  snprintf(aside, sizeof(aside), "lost-%lu", lost++);
  renameat2(stock, "decoy", stock, aside, RENAME_NOREPLACE);
}

/* Sometimes long enough that more than one look falls into it. */
static void pause_a_little(void) {
  const unsigned times = below(8) == 0 ? LONG_PAUSE : 1;
  const struct timespec pause = {0, below(PAUSE_NANOSECONDS_MAX) * times};
  nanosleep(&pause, NULL);
}

static bool swap(int root) {
  struct place place;
  struct stat decoy;
  bool swapped = false;
  if (choose(root, &place)) {
    make_decoy(&place);
    swapped = fstatat(stock, "decoy", &decoy, AT_SYMLINK_NOFOLLOW) == 0 &&
              renameat2(stock, "decoy", place.parent, place.name, RENAME_EXCHANGE) == 0;
  }
  if (swapped) {
    pause_a_little();
    put_back(&place, decoy.st_ino);
  }
  close(place.parent);
  return swapped;
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  const int root = open(arguments[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  stock = open(arguments[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  canary = arguments[3];
  state = strtoull(arguments[4], NULL, 10);
  if (root < 0 || stock < 0) return 2;
  signal(SIGTERM, stop);
  unsigned long swaps = 0;
  while (!stopped) {
    if (swap(root)) swaps++;
  }
  unlinkat(stock, "decoy", 0);
  printf("%lu\n", swaps);
  return 0;
}
