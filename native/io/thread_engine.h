#pragma once

#include <array>
#include <condition_variable>
#include <mutex>

#include "base/worker.h"
#include "io/io_engine.h"
#include "io/request_queue.h"

namespace snapshard {

// Writes with pwrite(2) and reads with pread(2) on a few threads, started when first needed: where io_uring is denied,
// and for all that is buffered. A buffered write is pushed to the device, and what was written or read is dropped from
// the page cache, before the next request of its thread, so the cache never holds more than the blocks under way.
class ThreadEngine final : public IoEngine {
 public:
  void submit(IoRequest* request) override;
  bool stop(std::chrono::milliseconds limit) override;
  [[nodiscard]] double cpu_seconds() const override;

 private:
  // Enough to saturate a disk with blocks of a few MiB.
  static constexpr size_t kThreads = 8;

  bool ensure_thread();
  void run();

  mutable std::mutex mutex_;
  std::condition_variable work_signal_;
  RequestQueue queue_;
  size_t queued_ = 0;
  bool stopping_ = false;
  size_t started_ = 0;
  size_t idle_ = 0;
  std::array<Worker, kThreads> workers_;
};

}  // namespace snapshard
