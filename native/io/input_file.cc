#include "io/input_file.h"

#include <fcntl.h>

#include "io/directory.h"

namespace snapshard {

Status InputFile::open(Directory& directory, const std::string& path, bool follow_links, bool wish_direct) {
  Status status = directory.open_for_reading(path, follow_links, fd_);
  if (!status.ok()) return status;
  if (wish_direct) {
    rules_ = direct_rules_for_reading(fd_.get());
    if (rules_.usable() && !set_direct(fd_.get(), true)) {
      rules_ = {Direct::kNo, 0, 0, "the file system refuses O_DIRECT"};
    }
  } else {
    rules_.reason = "turned off by the option `direct: false`";
  }
  direct_.store(rules_.usable(), std::memory_order_release);
  if (rules_.usable()) {
    offset_alignment_ = rules_.offset_alignment;
    memory_alignment_ = rules_.memory_alignment;
  } else {
    // What is read ahead of a piece would stay in the page cache.
    (void)::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_RANDOM);
  }
  return {};
}

void InputFile::fall_back_to_buffered() {
  const std::lock_guard lock(fall_back_mutex_);
  if (!direct()) return;
  // Where even that fails, the next read says so again, and is final.
  (void)set_direct(fd_.get(), false);
  (void)::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_RANDOM);
  rules_.direct = Direct::kNo;
  rules_.reason = "the file system took O_DIRECT, then refused a direct read";
  direct_.store(false, std::memory_order_release);
}

}  // namespace snapshard
