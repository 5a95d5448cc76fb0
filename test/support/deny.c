/*
 * Runs a command for which the kernel refuses some system calls, as a sandbox or an older kernel would:
 *
 *   deny CALL=ERROR[,CALL=ERROR...] COMMAND [ARGUMENT...]
 *
 * `pwrite64/4096` stands for a pwrite64 whose length is a multiple of 4096 bytes, as direct writes are; `pread64/4096`
 * likewise. Exit status 125: the filter could not be installed.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "name the architecture for seccomp here"
#endif

struct name {
  const char *text;
  unsigned value;
};

static const struct name calls[] = {
    {"fadvise64", __NR_fadvise64},
    {"fallocate", __NR_fallocate},
    {"flock", __NR_flock},
    {"ftruncate", __NR_ftruncate},
    {"fstatfs", __NR_fstatfs},
    {"io_uring_enter", __NR_io_uring_enter},
    {"io_uring_register", __NR_io_uring_register},
    {"io_uring_setup", __NR_io_uring_setup},
    {"openat2", __NR_openat2},
    {"pread64", __NR_pread64},
    {"process_vm_readv", __NR_process_vm_readv},
    {"pwrite64", __NR_pwrite64},
    {"renameat2", __NR_renameat2},
    {"statx", __NR_statx},
    {"sync_file_range", __NR_sync_file_range},
    {"unlinkat", __NR_unlinkat},
};

static const struct name errors[] = {
    {"EACCES", EACCES}, {"EINVAL", EINVAL},         {"EIO", EIO},       {"ENOMEM", ENOMEM},
    {"ENOSYS", ENOSYS}, {"EOPNOTSUPP", EOPNOTSUPP}, {"EPERM", EPERM},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void refuse(const char *what, const char *text) {
  fprintf(stderr, "deny: %s: %s\n", what, text);
  exit(125);
}

static unsigned value_of(const struct name *names, size_t count, const char *text) {
  for (size_t i = 0; i < count; i++) {
    if (strcmp(names[i].text, text) == 0) return names[i].value;
  }
  refuse("unknown name", text);
  return 0;
}

static struct sock_filter program[128];
static unsigned short length;

static void add(unsigned short code, unsigned value, unsigned char when_true, unsigned char when_false) {
  if (length == COUNT_OF(program)) refuse("too many rules", "");
  program[length++] = (struct sock_filter)BPF_JUMP(code, value, when_true, when_false);
}

static void load(size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0); }

static void answer(unsigned value) { add(BPF_RET | BPF_K, value, 0, 0); }

/* Jumps count the instructions to leave out. */
static void add_rule(char *rule) {
  char *error = strchr(rule, '=');
  if (error == NULL) refuse("expected CALL=ERROR", rule);
  *error++ = '\0';
  char *multiple = strchr(rule, '/');
  if (multiple != NULL) *multiple++ = '\0';
  const unsigned call = value_of(calls, COUNT_OF(calls), rule);
  const unsigned refusal = SECCOMP_RET_ERRNO | value_of(errors, COUNT_OF(errors), error);
  load(offsetof(struct seccomp_data, nr));
  if (multiple == NULL) {
    add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1);
  } else {
    add(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3);
    load(offsetof(struct seccomp_data, args[2]));
    add(BPF_JMP | BPF_JSET | BPF_K, (unsigned)atoi(multiple) - 1, 1, 0);
  }
  answer(refusal);
}

int main(int count, char **arguments) {
  if (count < 3) refuse("usage", "deny CALL=ERROR[,CALL=ERROR...] COMMAND [ARGUMENT...]");
  load(offsetof(struct seccomp_data, arch));
  add(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCHITECTURE, 1, 0);
  answer(SECCOMP_RET_ALLOW);
  for (char *rule = strtok(arguments[1], ","); rule != NULL; rule = strtok(NULL, ",")) add_rule(rule);
  answer(SECCOMP_RET_ALLOW);

  const struct sock_fprog filter = {length, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    refuse("seccomp", strerror(errno));
  }
  execvp(arguments[2], &arguments[2]);
  refuse(arguments[2], strerror(errno));
  return 125;
}
