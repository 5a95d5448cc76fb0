/* What refuse.c decides by, and its door to JavaScript. */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include "refuse.h"

#include <link.h>
#include <node_api.h>
#include <stdatomic.h>
#include <string.h>

static const char *const names[CALL_COUNT] = {
#define X(name, text) [CALL_##name] = text,
    CALLS(X)
#undef X
};

enum { EVENTS_MAX = 4096, BUCKET_BITS = 14, WAYS = 16 };

static uintptr_t code_begin;
static uintptr_t code_end;
static atomic_long counts[CALL_COUNT];
static atomic_int denied[CALL_COUNT];
static atomic_int chosen = -1;
static atomic_long chosen_from;
static atomic_long chosen_to;
static atomic_int chosen_error;
static atomic_long refused;
static atomic_int planted;
static atomic_long mapped_bytes;
static atomic_long allocations;
static atomic_uintptr_t blocks[1 << BUCKET_BITS][WAYS];
static atomic_char events[EVENTS_MAX];

int is_ours(const void *caller) { return (uintptr_t)caller >= code_begin && (uintptr_t)caller < code_end; }

int met(int call) {
  const int always = atomic_load(&denied[call]);
  if (always != 0) return always;
  const long nth = atomic_fetch_add(&counts[call], 1) + 1;
  if (atomic_load(&chosen) != call || nth < atomic_load(&chosen_from) || nth > atomic_load(&chosen_to)) return 0;
  atomic_fetch_add(&refused, 1);
  return atomic_load(&chosen_error);
}

int plants(int plant) { return atomic_load(&planted) == plant; }
void hold_mapped(long bytes) { atomic_fetch_add(&mapped_bytes, bytes); }

static atomic_uintptr_t *bucket_of(const void *block) {
  return blocks[((uintptr_t)block >> 4) * 0x9e3779b97f4a7c15u >> (64 - BUCKET_BITS)];
}

static int exchange_in_bucket(const void *block, uintptr_t from, uintptr_t to) {
  atomic_uintptr_t *bucket = bucket_of(block);
  for (int way = 0; way < WAYS; way++) {
    uintptr_t expected = from;
    if (atomic_load_explicit(&bucket[way], memory_order_relaxed) == from &&
        atomic_compare_exchange_strong(&bucket[way], &expected, to)) {
      return 1;
    }
  }
  return 0;
}

/* Where a bucket is full, the block is not watched. */
void hold_block(const void *block) {
  if (block != NULL && exchange_in_bucket(block, 0, (uintptr_t)block)) atomic_fetch_add(&allocations, 1);
}

int let_block_go(const void *block) {
  if (block == NULL || !exchange_in_bucket(block, (uintptr_t)block, 0)) return 0;
  atomic_fetch_sub(&allocations, 1);
  return 1;
}

void is_event(int fd, int yes) {
  if (fd >= 0 && fd < EVENTS_MAX) atomic_store(&events[fd], (char)yes);
}
int event_at(int fd) { return fd >= 0 && fd < EVENTS_MAX && atomic_load(&events[fd]); }

static int find_library(struct dl_phdr_info *info, size_t size, void *name) {
  (void)size;
  const size_t length = strlen(info->dlpi_name);
  const size_t wanted = strlen(name);
  if (length < wanted || strcmp(info->dlpi_name + length - wanted, name) != 0) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0) continue;
    code_begin = info->dlpi_addr + part->p_vaddr;
    code_end = code_begin + part->p_memsz;
  }
  return 1;
}

enum { ARGUMENTS_MAX = 4, TEXT_MAX = 256 };
typedef struct {
  napi_value given[ARGUMENTS_MAX];
} Arguments;

static Arguments arguments_of(napi_env env, napi_callback_info info) {
  Arguments arguments = {{0}};
  size_t count = ARGUMENTS_MAX;
  napi_get_cb_info(env, info, &count, arguments.given, NULL, NULL);
  return arguments;
}

static long number_of(napi_env env, napi_value value) {
  int64_t number = 0;
  napi_get_value_int64(env, value, &number);
  return (long)number;
}

static napi_value make_number(napi_env env, long value) {
  napi_value number;
  napi_create_int64(env, value, &number);
  return number;
}

static int call_named(napi_env env, napi_value value) {
  char text[TEXT_MAX] = "";
  napi_get_value_string_utf8(env, value, text, sizeof text, NULL);
  for (int call = 0; call < CALL_COUNT; call++) {
    if (strcmp(names[call], text) == 0) return call;
  }
  napi_throw_error(env, NULL, "There is no such call.");
  return 0;
}

/* attach(name): whose calls are meant. Returns whether it is loaded. */
static napi_value attach(napi_env env, napi_callback_info info) {
  char text[TEXT_MAX] = "";
  napi_get_value_string_utf8(env, arguments_of(env, info).given[0], text, sizeof text, NULL);
  napi_value found;
  napi_get_boolean(env, dl_iterate_phdr(find_library, text) != 0, &found);
  return found;
}

/* deny(call, errno): from now on, uncounted. */
static napi_value deny(napi_env env, napi_callback_info info) {
  const Arguments arguments = arguments_of(env, info);
  atomic_store(&denied[call_named(env, arguments.given[0])], (int)number_of(env, arguments.given[1]));
  return NULL;
}

/* refuse(call, from, to, error): these of the calls from now on, the first being 1. */
static napi_value refuse(napi_env env, napi_callback_info info) {
  const Arguments arguments = arguments_of(env, info);
  const int call = call_named(env, arguments.given[0]);
  for (int i = 0; i < CALL_COUNT; i++) atomic_store(&counts[i], 0);
  atomic_store(&refused, 0);
  atomic_store(&chosen_from, number_of(env, arguments.given[1]));
  atomic_store(&chosen_to, number_of(env, arguments.given[2]));
  atomic_store(&chosen_error, (int)number_of(env, arguments.given[3]));
  atomic_store(&chosen, call);
  return NULL;
}

/* allow(): ends it. Returns how many were refused. */
static napi_value allow(napi_env env, napi_callback_info info) {
  (void)info;
  atomic_store(&chosen, -1);
  return make_number(env, atomic_load(&refused));
}

/* counts(): of each call, by name, since the last refuse(). */
static napi_value all_counts(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value object;
  napi_create_object(env, &object);
  for (int call = 0; call < CALL_COUNT; call++) {
    napi_set_named_property(env, object, names[call], make_number(env, atomic_load(&counts[call])));
  }
  return object;
}

static napi_value held(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value object;
  napi_create_object(env, &object);
  napi_set_named_property(env, object, "mappedBytes", make_number(env, atomic_load(&mapped_bytes)));
  napi_set_named_property(env, object, "allocations", make_number(env, atomic_load(&allocations)));
  return object;
}

static napi_value plant(napi_env env, napi_callback_info info) {
  atomic_store(&planted, (int)number_of(env, arguments_of(env, info).given[0]));
  return NULL;
}

NAPI_MODULE_INIT() {
  const struct {
    const char *name;
    napi_callback call;
  } functions[] = {{"attach", attach}, {"deny", deny},       {"refuse", refuse}, {"allow", allow},
                   {"held", held},     {"counts", all_counts}, {"plant", plant}};
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  return exports;
}
