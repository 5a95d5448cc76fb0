#include "transfer/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "memory/own_memory.h"

namespace snapshard {

namespace {

Status read_file(int fd, const std::string& path, uint64_t offset, std::byte* destination, size_t bytes) {
  while (bytes > 0) {
    const ssize_t count = ::pread(fd, destination, bytes, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Status::system(errno, "pread", path);
    if (count == 0) {
      return Status::failure(Failure::kSourceChanged, "the file source ends at byte " + std::to_string(offset) +
                                                          ", before its range does: " + path);
    }
    destination += count;
    offset += static_cast<uint64_t>(count);
    bytes -= static_cast<size_t>(count);
  }
  return {};
}

Status read_vanishing(const Source& source, uint32_t index, uint64_t offset, std::byte* destination, size_t bytes,
                      SourceCopier& copier) {
  if (memory_reader() == MemoryReader::kJavaScriptThread) return copier.copy(index, offset, destination, bytes);
  const int error = read_own_memory(destination, source.data + offset, bytes);
  if (error == 0) return {};
  const bool by_syscall = memory_reader() == MemoryReader::kProcessVmReadv;
  if (error != EFAULT && by_syscall) return Status::system(error, "process_vm_readv");
  if (error != EFAULT) return Status::system(error, "pread", "/proc/self/mem");
  return Status::failure(Failure::kSourceDetached, "the memory of a source is gone");
}

}  // namespace

Status SourceReader::read(const Source& source, uint32_t index, uint64_t offset, std::byte* destination, size_t bytes,
                          SourceCopier& copier) {
  switch (source.kind) {
    case SourceKind::kBuffer:
      return read_vanishing(source, index, offset, destination, bytes, copier);
    case SourceKind::kShared:
    case SourceKind::kLease:
      ::memcpy(destination, source.data + offset, bytes);
      return {};
    case SourceKind::kPath:
      return read_path(source, offset, destination, bytes);
    case SourceKind::kDescriptor:
      return read_file(source.fd.get(), source.path, offset, destination, bytes);
    case SourceKind::kCuda:
      break;
  }
  return Status::failure(Failure::kArgument, "a source of unknown kind");
}

Status SourceReader::read_path(const Source& source, uint64_t offset, std::byte* destination, size_t bytes) {
  if (open_source_ != &source) {
    forget();
    // A pipe without a writer would hold up the thread: it is opened, and refuses pread.
    open_file_ = UniqueFd(::open(source.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!open_file_.valid()) return Status::system(errno, "open", source.path);
    open_source_ = &source;
  }
  return read_file(open_file_.get(), source.path, offset, destination, bytes);
}

void SourceReader::forget() {
  open_source_ = nullptr;
  open_file_.reset();
}

}  // namespace snapshard
