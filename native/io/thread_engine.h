#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/worker.h"
#include "io/io_engine.h"
#include "io/request_queue.h"

namespace snapshard {

// Writes with pwrite(2) and reads with pread(2) on a few threads for each owner, started when first needed: where
// io_uring is denied, and for all that is buffered. A buffered write is pushed to the device, and what was written or
// read is dropped from the page cache, before the next request of its thread, so the cache never holds more than the
// blocks under way.
class ThreadEngine final : public IoEngine {
 public:
  void submit(IoRequest* request) override;
  bool stop(std::chrono::milliseconds limit) override;
  [[nodiscard]] double cpu_seconds() const override;

 private:
  // For each owner: enough to saturate a disk with blocks of a few MiB.
  static constexpr size_t kThreads = 8;

  // What one owner waits for.
  struct Share {
    RequestQueue queue;
    size_t queued = 0;
    size_t running = 0;
  };
  using Shares = std::map<const void*, Share>;

  static bool is_runnable(const Share& share) { return share.queued > 0 && share.running < kThreads; }
  bool ensure_thread();
  Shares::iterator next_share();
  void run();

  mutable std::mutex mutex_;
  std::condition_variable work_signal_;
  // Only those that wait for something.
  Shares shares_;
  const void* last_owner_ = nullptr;
  bool stopping_ = false;
  size_t idle_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace snapshard
