// The interface of the engines that carry blocks to files.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace snapshard {

struct IoRequest;

// Told of each completion, on a thread of the engine: do little there, and do not wait.
class IoListener {
 public:
  virtual ~IoListener() = default;
  // `result`: bytes written, possibly fewer than asked, or a negative errno. The request may be submitted again.
  virtual void on_written(IoRequest& request, int64_t result) = 0;
};

// One write. The owner keeps it, its memory and its file until on_written.
struct IoRequest {
  int fd = -1;
  const std::byte* data = nullptr;
  uint32_t bytes = 0;
  uint64_t offset = 0;
  // Written through the page cache: start the write-back at once, wait for it, and drop the pages.
  bool buffered = false;
  IoListener* listener = nullptr;
  IoRequest* next = nullptr;
};

class IoEngine {
 public:
  virtual ~IoEngine() = default;
  // From any thread. Requests of one file may complete in any order. After the end they complete at once, on the
  // caller's thread, with ECANCELED.
  virtual void submit(IoRequest* request) = 0;
  // Ends the engine once what is in flight has completed. False when that took longer than the limit: the engine's
  // threads and all they point to must then be left as they are, for ever.
  virtual bool stop(std::chrono::milliseconds limit) = 0;
  [[nodiscard]] virtual double cpu_seconds() const = 0;
};

}  // namespace snapshard
