#include "io/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/sizes.h"
#include "io/directory.h"

namespace snapshard {

namespace {

// Never posix_fallocate, which writes zeros where the file system cannot.
int preallocate(int fd, uint64_t bytes) {
  if (bytes == 0) return 0;
  while (::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) != 0) {
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) return 0;
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

Status OutputFile::create(Directory& directory, const std::string& path, uint64_t bytes, bool wish_direct) {
  path_ = path;
  bytes_ = bytes;
  Status status = directory.create_file(path, fd_);
  if (!status.ok()) return status;
  if (wish_direct) {
    rules_ = direct_rules(fd_.get());
    if (rules_.usable() && !set_direct(fd_.get(), true)) {
      rules_ = {Direct::kNo, 0, 0, "the file system refuses O_DIRECT"};
    }
  } else {
    rules_.reason = "turned off by the option `direct: false`";
  }
  direct_.store(rules_.usable(), std::memory_order_release);
  const int error = preallocate(fd_.get(), padded(bytes));
  return error == 0 ? Status() : Status::system(error, "fallocate", path);
}

uint64_t OutputFile::padded(uint64_t bytes) const {
  return direct() ? round_up(bytes, rules_.offset_alignment) : bytes;
}

void OutputFile::fall_back_to_buffered() {
  const std::lock_guard lock(fall_back_mutex_);
  if (!direct()) return;
  // Where even that fails, the next write says so again, and is final.
  (void)set_direct(fd_.get(), false);
  rules_.direct = Direct::kNo;
  rules_.reason = "the file system took O_DIRECT, then refused a direct write";
  direct_.store(false, std::memory_order_release);
}

Status OutputFile::seal() {
  if (::ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0) return Status::system(errno, "ftruncate", path_);
  if (::fdatasync(fd_.get()) != 0) return Status::system(errno, "fdatasync", path_);
  // Linux frees the descriptor whatever close says.
  if (::close(fd_.release()) != 0 && errno != EINTR) return Status::system(errno, "close", path_);
  return {};
}

}  // namespace snapshard
