// The io_uring of one thread, through the kernel's own interface (linux/io_uring.h, io_uring_setup(2)).
#pragma once

#include <linux/io_uring.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace snapshard {

// Made, used and destroyed by one thread (IORING_SETUP_SINGLE_ISSUER).
class Uring {
 public:
  Uring() = default;
  ~Uring();
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  // Tries SINGLE_ISSUER|DEFER_TASKRUN, then COOP_TASKRUN, then no flags: each is for newer kernels than the next. Then
  // sends one empty entry through, since a sandbox may allow the ring and deny its use.
  Status create(unsigned entries);

  // A cleared entry, or nullptr when the submission queue is full.
  io_uring_sqe* next_entry();
  // Submits what next_entry gave out and waits for at least one completion. Returns 0 or an errno.
  [[nodiscard]] int submit_and_wait();
  // Calls `handle(user_data, result)` for each completion that is there.
  template <typename Handler>
  void reap(Handler handle);

  // A table of `slots` fixed buffers, empty at first (kernel 5.19). Returns 0 or an errno.
  [[nodiscard]] int register_buffer_table(unsigned slots);
  // Puts memory in a slot, or empties it with nullptr. Returns 0 or an errno.
  [[nodiscard]] int set_buffer(unsigned slot, std::byte* data, size_t bytes);

 private:
  Status map(const io_uring_params& parameters);
  Status try_out();

  UniqueFd fd_;
  void* ring_ = nullptr;
  size_t ring_bytes_ = 0;
  io_uring_sqe* entries_ = nullptr;
  size_t entries_bytes_ = 0;
  unsigned entry_count_ = 0;
  unsigned pending_ = 0;
  unsigned local_tail_ = 0;

  std::atomic<unsigned>* submit_head_ = nullptr;
  std::atomic<unsigned>* submit_tail_ = nullptr;
  unsigned submit_mask_ = 0;
  unsigned* submit_array_ = nullptr;
  std::atomic<unsigned>* complete_head_ = nullptr;
  std::atomic<unsigned>* complete_tail_ = nullptr;
  unsigned complete_mask_ = 0;
  io_uring_cqe* completions_ = nullptr;
};

// Whether a ring can be made here.
Status probe_uring();
// What failed, and the remedy, in a sentence for a person.
std::string describe_uring_failure(const Status& status);

template <typename Handler>
void Uring::reap(Handler handle) {
  unsigned head = complete_head_->load(std::memory_order_relaxed);
  while (head != complete_tail_->load(std::memory_order_acquire)) {
    const io_uring_cqe completion = completions_[head & complete_mask_];
    complete_head_->store(++head, std::memory_order_release);
    handle(completion.user_data, completion.res);
  }
}

}  // namespace snapshard
