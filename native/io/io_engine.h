// The interface of the engines that carry blocks to files and back.
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
  // `result`: bytes written or read, possibly fewer than asked, or a negative errno. The request may be submitted
  // again.
  virtual void on_completed(IoRequest& request, int64_t result) = 0;
};

enum class IoOperation : uint8_t { kWrite, kRead };

// One write, or one read. The owner keeps it, its memory and its file until on_completed.
struct IoRequest {
  IoOperation operation = IoOperation::kWrite;
  int fd = -1;
  // A write only reads it.
  std::byte* data = nullptr;
  uint32_t bytes = 0;
  uint64_t offset = 0;
  // Through the page cache, which keeps nothing of it: a write is pushed to the device and waited for first.
  bool buffered = false;
  IoListener* listener = nullptr;
  // Whose it is: where one waits for a device that does not answer, others go on.
  const void* owner = nullptr;
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
