#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "base/worker.h"
#include "io/io_engine.h"
#include "io/request_queue.h"

namespace snapshard {

class Uring;

// Writes and reads through one io_uring, owned by one thread that an eventfd wakes.
class UringEngine final : public IoEngine {
 public:
  // Fails with what the kernel said to io_uring_setup.
  static Status create(std::unique_ptr<UringEngine>& engine);
  ~UringEngine() override;

  void submit(IoRequest* request) override;
  bool stop(std::chrono::milliseconds limit) override;
  [[nodiscard]] double cpu_seconds() const override;

  // Pins memory for the ring, which halves the processor time of a write. Waits for the ring's thread. Plain requests
  // on the same memory work where this fails (ENOMEM: RLIMIT_MEMLOCK).
  Status register_memory(std::byte* data, size_t bytes);
  // Before the memory is unmapped, with no request on it under way. Also from the ring's own thread, which may be the
  // last to let go of a pool.
  void unregister_memory(std::byte* data, size_t bytes);

 private:
  struct Fixed {
    std::byte* data;
    size_t bytes;
    unsigned slot;
  };
  struct Command;

  UringEngine();
  void run(Command& started);
  void loop(Uring& ring);
  void wake() const;
  void await(Command& command);
  bool take_work();
  void execute(Uring& ring, Command& command);
  void arm_wake(Uring& ring);
  void issue(Uring& ring);
  void fill(Uring& ring, IoRequest& request);
  int add_fixed(Uring& ring, std::byte* data, size_t bytes);
  void remove_fixed(Uring& ring, const std::byte* data, size_t bytes);

  std::mutex mutex_;
  RequestQueue submitted_;
  std::vector<Command*> commands_;
  bool stopping_ = false;
  bool ended_ = false;
  UniqueFd wake_fd_;
  Worker worker_;

  // Of the ring's thread alone.
  Uring* ring_ = nullptr;
  RequestQueue waiting_;
  std::vector<Command*> taken_commands_;
  std::vector<Fixed> fixed_;
  std::vector<unsigned> free_slots_;
  int table_error_ = 0;
  bool wake_armed_ = false;
  unsigned in_flight_ = 0;
};

}  // namespace snapshard
