/*
 * Faults that are set from outside while a file system or a disk is served, by lines that are answered when they hold:
 *
 *   fail OPERATION FIRST TIMES ACTION [VALUE]   from that operation on (1: the next), so many of them (0: all). ACTION:
 *                                               errno NUMBER | short | delay MILLISECONDS | hold | exit
 *   lift                                        no more of that; what is held goes on
 *   counts                                      answered with "OPERATION=NUMBER …", of each since the last `fail` or
 *                                               `lift`, and "fired=NUMBER"
 *
 * `hold` answers once lifted, as a device does that hangs until then; `exit` ends the process at once. Included by one
 * program, which has `operation_names`, an array that ends in NULL.
 */
#pragma once
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAULTS_MAX = 8, OPERATIONS_MAX = 32 };
enum action { ACTION_NONE, ACTION_ERRNO, ACTION_SHORT, ACTION_DELAY, ACTION_HOLD, ACTION_EXIT };

struct fault {
  int operation;
  long first;
  long times;
  enum action action;
  int value;
};

static pthread_mutex_t faults_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t faults_lifted = PTHREAD_COND_INITIALIZER;
static struct fault faults[FAULTS_MAX];
static unsigned faults_count;
static long operation_counts[OPERATIONS_MAX], faults_fired, faults_generation;

/* Counts an operation. Returns the fault that befalls it; its action is ACTION_NONE where it is spared. */
static struct fault faults_next(int operation) {
  struct fault found = {.action = ACTION_NONE};
  pthread_mutex_lock(&faults_mutex);
  const long number = ++operation_counts[operation];
  for (unsigned index = 0; index < faults_count && found.action == ACTION_NONE; index++) {
    const struct fault *fault = &faults[index];
    if (fault->operation != operation || number < fault->first) continue;
    if (fault->times != 0 && number >= fault->first + fault->times) continue;
    found = *fault;
    faults_fired++;
  }
  pthread_mutex_unlock(&faults_mutex);
  if (found.action == ACTION_EXIT) _exit(9);
  return found;
}

static int faults_operation(const char *const *names, const char *name) {
  for (int index = 0; names[index] != NULL; index++) {
    if (strcmp(names[index], name) == 0) return index;
  }
  return -1;
}

static int faults_add(const char *const *names, const char *line) {
  char operation[32], action[32];
  struct fault fault = {.action = ACTION_NONE};
  const int got =
      sscanf(line, "fail %31s %ld %ld %31s %d", operation, &fault.first, &fault.times, action, &fault.value);
  if (got < 4 || faults_count == FAULTS_MAX) return 0;
  static const char *const actions[] = {"none", "errno", "short", "delay", "hold", "exit", NULL};
  fault.operation = faults_operation(names, operation);
  const int chosen = faults_operation(actions, action);
  if (fault.operation < 0 || chosen <= 0) return 0;
  fault.action = (enum action)chosen;
  faults[faults_count++] = fault;
  return 1;
}

static void faults_answer_counts(const char *const *names) {
  for (int index = 0; names[index] != NULL; index++) printf("%s=%ld ", names[index], operation_counts[index]);
  printf("fired=%ld\n", faults_fired);
}

static void faults_reset(void) {
  memset(operation_counts, 0, sizeof operation_counts);
  faults_fired = 0;
}

static void faults_lift(void) {
  faults_reset();
  faults_count = 0;
  faults_generation++;
  pthread_cond_broadcast(&faults_lifted);
}

/* Whether the line was one of these; it is answered then. */
static int faults_command(const char *const *names, const char *line) {
  int known = 1;
  pthread_mutex_lock(&faults_mutex);
  if (strncmp(line, "counts", 6) == 0) {
    faults_answer_counts(names);
  } else if (strncmp(line, "lift", 4) == 0) {
    faults_lift();
    puts("done");
  } else if (strncmp(line, "fail ", 5) == 0) {
    faults_reset();
    puts(faults_add(names, line) ? "done" : "not understood");
  } else {
    known = 0;
  }
  pthread_mutex_unlock(&faults_mutex);
  fflush(stdout);
  return known;
}
