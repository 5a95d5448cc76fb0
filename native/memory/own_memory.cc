#include "memory/own_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

namespace snapshard {

namespace {

int read_with_syscall(std::byte* destination, const std::byte* source, size_t bytes) {
  static const pid_t kSelf = ::getpid();
  const iovec local{destination, bytes};
  const iovec remote{const_cast<std::byte*>(source), bytes};
  const ssize_t copied = ::process_vm_readv(kSelf, &local, 1, &remote, 1, 0);
  if (copied < 0) return errno;
  return static_cast<size_t>(copied) == bytes ? 0 : EFAULT;
}

int self_mem_fd() {
  static const int kFd = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  return kFd;
}

int read_with_file(std::byte* destination, const std::byte* source, size_t bytes) {
  const auto address = static_cast<off_t>(reinterpret_cast<uintptr_t>(source));
  const ssize_t copied = ::pread(self_mem_fd(), destination, bytes, address);
  if (copied < 0) return errno == EIO ? EFAULT : errno;
  return static_cast<size_t>(copied) == bytes ? 0 : EFAULT;
}

MemoryReader probe() {
  const std::byte source{42};
  std::byte copy{};
  if (read_with_syscall(&copy, &source, 1) == 0 && copy == source) return MemoryReader::kProcessVmReadv;
  copy = std::byte{};
  if (self_mem_fd() >= 0 && read_with_file(&copy, &source, 1) == 0 && copy == source) return MemoryReader::kProcSelfMem;
  return MemoryReader::kJavaScriptThread;
}

}  // namespace

MemoryReader memory_reader() {
  static const MemoryReader kReader = probe();
  return kReader;
}

int read_own_memory(std::byte* destination, const std::byte* source, size_t bytes) {
  return memory_reader() == MemoryReader::kProcessVmReadv ? read_with_syscall(destination, source, bytes)
                                                          : read_with_file(destination, source, bytes);
}

}  // namespace snapshard
