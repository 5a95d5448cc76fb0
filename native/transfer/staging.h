#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/io_engine.h"
#include "io/request_queue.h"
#include "memory/block_pool.h"

namespace snapshard {

class Engine;
class Transfer;

enum class EngineChoice { kAuto, kUring, kThreads };

struct StagingOptions {
  uint64_t staging_bytes = 0;
  uint64_t block_bytes = 0;
  unsigned queue_depth = 0;
  unsigned threads = 0;
  EngineChoice engine = EngineChoice::kAuto;
  bool direct = true;
};

// What one writer owns: a pool, a queue of full blocks, and its transfers, which are staged in order.
class Staging : public std::enable_shared_from_this<Staging> {
 public:
  // Maps and faults in the pool: not for the JavaScript thread.
  static Status create(std::shared_ptr<Engine> engine, const StagingOptions& options,
                       std::shared_ptr<Staging>& staging);
  explicit Staging(std::shared_ptr<Engine> engine, const StagingOptions& options);
  ~Staging();

  [[nodiscard]] const StagingOptions& options() const { return options_; }
  [[nodiscard]] BlockPool& pool() { return pool_; }
  [[nodiscard]] Engine& engine() { return *engine_; }
  // Direct writes go through the ring where there is one; buffered ones always through threads.
  [[nodiscard]] IoEngine& engine_for(bool buffered);
  [[nodiscard]] bool uses_uring() const { return uses_uring_; }
  // Why not, or why the pool is not registered; empty when all is as wished.
  [[nodiscard]] const std::string& engine_reason() const { return engine_reason_; }

  // A block that is full, and counted as an activity of its transfer (the request's listener).
  void enqueue(IoRequest& request);
  // One of the requests that Transfer::issue let through has ended.
  void write_ended();

  void add(std::shared_ptr<Transfer> transfer);
  void remove(const Transfer* transfer);
  std::vector<std::shared_ptr<Transfer>> transfers();

 private:
  friend class Engine;

  Status choose_engine();
  void pump();

  const std::shared_ptr<Engine> engine_;
  const StagingOptions options_;
  BlockPool pool_;
  bool uses_uring_ = false;
  bool registered_ = false;
  std::string engine_reason_;

  std::mutex queue_mutex_;
  RequestQueue ready_;
  unsigned in_flight_ = 0;

  // Under the engine's lock.
  std::vector<std::shared_ptr<Transfer>> transfers_;
  unsigned active_stagers_ = 0;
};

}  // namespace snapshard
