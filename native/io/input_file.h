#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "io/direct_rules.h"

namespace snapshard {

class Directory;

// A file that is being read, in pieces, in any order.
class InputFile {
 public:
  // Where O_DIRECT is wished for and can be had, the descriptor has it.
  Status open(Directory& directory, const std::string& path, bool follow_links, bool wish_direct);
  // Drops O_DIRECT from the descriptor after the file system refused a read with EINVAL. From any thread.
  void fall_back_to_buffered();
  void close() { fd_.reset(); }

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool direct() const { return direct_.load(std::memory_order_acquire); }
  // After the last read.
  [[nodiscard]] const DirectRules& rules() const { return rules_; }
  [[nodiscard]] bool by_threads() const { return !rules_.threads_reason.empty(); }
  // As they were found: reads that are laid out by them stay right when the file falls back.
  [[nodiscard]] uint64_t offset_alignment() const { return offset_alignment_; }
  [[nodiscard]] uint64_t memory_alignment() const { return memory_alignment_; }

 private:
  UniqueFd fd_;
  DirectRules rules_;
  uint64_t offset_alignment_ = 1;
  uint64_t memory_alignment_ = 1;
  std::mutex fall_back_mutex_;
  std::atomic<bool> direct_{false};
};

}  // namespace snapshard
