#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "io/direct_rules.h"

namespace snapshard {

class Directory;

// A file that is being written once, in blocks, in any order, and then sealed.
class OutputFile {
 public:
  // Creates the file, which must not exist, and sets aside room for `bytes`. Where O_DIRECT is wished for and can be
  // had, the descriptor has it.
  Status create(Directory& directory, const std::string& path, uint64_t bytes, bool wish_direct);
  // Gives the file its exact length, syncs and closes it. After all writes have completed.
  Status seal();
  // Drops O_DIRECT from the descriptor after the file system refused a write with EINVAL. From any thread.
  void fall_back_to_buffered();
  void abandon() { fd_.reset(); }

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool is_open() const { return fd_.valid(); }
  [[nodiscard]] bool direct() const { return direct_.load(std::memory_order_acquire); }
  [[nodiscard]] const DirectRules& rules() const { return rules_; }
  [[nodiscard]] bool by_threads() const { return !rules_.threads_reason.empty(); }
  // `bytes` rounded up to what a direct write of the tail must cover; `bytes` itself when buffered.
  [[nodiscard]] uint64_t padded(uint64_t bytes) const;
  [[nodiscard]] uint64_t memory_alignment() const { return direct() ? rules_.memory_alignment : 1; }

 private:
  UniqueFd fd_;
  std::string path_;
  uint64_t bytes_ = 0;
  DirectRules rules_;
  std::mutex fall_back_mutex_;
  std::atomic<bool> direct_{false};
};

}  // namespace snapshard
