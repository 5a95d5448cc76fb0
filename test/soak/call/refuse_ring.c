/* Requests of a ring: those that are to fail become none, and what their completion says is changed. */
#define _GNU_SOURCE
#include "refuse.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <string.h>

enum { RINGS_MAX = 64, ALTERED_MAX = 1024, PAGE_BYTES = 4096 };

struct ring {
  int fd;
  struct io_uring_params parameters;
  char *rings;
  struct io_uring_sqe *entries;
  /* Up to where entries have been looked at. */
  unsigned seen;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ring all[RINGS_MAX];
static struct {
  int fd;
  unsigned long long tag;
  int result;
} altered[ALTERED_MAX];
static int altered_count;

/* Descriptors are counted from one, so that zero is none. */
static struct ring *find(int fd) {
  for (int i = 0; i < RINGS_MAX; i++) {
    if (all[i].fd == fd + 1) return &all[i];
  }
  return NULL;
}

void note_ring(int fd, const struct io_uring_params *parameters) {
  pthread_mutex_lock(&mutex);
  struct ring *ring = find(-1);
  if (ring != NULL) *ring = (struct ring){.fd = fd + 1, .parameters = *parameters};
  pthread_mutex_unlock(&mutex);
}

void note_ring_mapping(int fd, off_t offset, void *memory) {
  if (fd < 0) return;
  pthread_mutex_lock(&mutex);
  struct ring *ring = find(fd);
  if (ring != NULL && offset == (off_t)IORING_OFF_SQ_RING) ring->rings = memory;
  if (ring != NULL && offset == (off_t)IORING_OFF_SQES) ring->entries = memory;
  pthread_mutex_unlock(&mutex);
}

void forget_ring(int fd) {
  pthread_mutex_lock(&mutex);
  struct ring *ring = find(fd);
  if (ring != NULL) *ring = (struct ring){.fd = 0};
  pthread_mutex_unlock(&mutex);
}

static unsigned word(const struct ring *ring, unsigned offset) {
  return __atomic_load_n((unsigned *)(ring->rings + offset), __ATOMIC_ACQUIRE);
}

static int call_of(const struct io_uring_sqe *entry) {
  switch (entry->opcode) {
    case IORING_OP_READ:
    case IORING_OP_READ_FIXED:
      return CALL_URING_READ;
    case IORING_OP_WRITE:
    case IORING_OP_WRITE_FIXED:
      return CALL_URING_WRITE;
    default:
      return -1;
  }
}

static void alter(const struct ring *ring, struct io_uring_sqe *entry) {
  const int call = call_of(entry);
  const int error = call < 0 ? 0 : met(call);
  if (error == 0 || altered_count == ALTERED_MAX) return;
  /* Of one page, nothing can come short: no bytes at all are the end of the file. */
  if (error == SHORT) {
    if (entry->len > PAGE_BYTES) entry->len = (entry->len / PAGE_BYTES + 1) / 2 * PAGE_BYTES;
    return;
  }
  altered[altered_count].fd = ring->fd;
  altered[altered_count].tag = entry->user_data;
  altered[altered_count++].result = plants(PLANT_LOST) ? (int)entry->len : -error;
  const unsigned long long tag = entry->user_data;
  memset(entry, 0, sizeof *entry);
  entry->opcode = IORING_OP_NOP;
  entry->user_data = tag;
}

void alter_submissions(int fd) {
  pthread_mutex_lock(&mutex);
  struct ring *ring = find(fd);
  if (ring != NULL && ring->rings != NULL && ring->entries != NULL) {
    const struct io_sqring_offsets *at = &ring->parameters.sq_off;
    const unsigned mask = word(ring, at->ring_mask);
    const unsigned *order = (unsigned *)(ring->rings + at->array);
    for (const unsigned tail = word(ring, at->tail); ring->seen != tail; ring->seen++) {
      alter(ring, &ring->entries[order[ring->seen & mask]]);
    }
  }
  pthread_mutex_unlock(&mutex);
}

static void say(const struct ring *ring, struct io_uring_cqe *entry) {
  for (int i = 0; i < altered_count; i++) {
    if (altered[i].fd != ring->fd || altered[i].tag != entry->user_data) continue;
    entry->res = altered[i].result;
    altered[i] = altered[--altered_count];
    return;
  }
}

void alter_completions(int fd) {
  pthread_mutex_lock(&mutex);
  struct ring *ring = altered_count == 0 ? NULL : find(fd);
  if (ring != NULL) {
    const struct io_cqring_offsets *at = &ring->parameters.cq_off;
    const unsigned mask = word(ring, at->ring_mask);
    struct io_uring_cqe *entries = (struct io_uring_cqe *)(ring->rings + at->cqes);
    for (unsigned head = word(ring, at->head); head != word(ring, at->tail); head++) say(ring, &entries[head & mask]);
  }
  pthread_mutex_unlock(&mutex);
}
