#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "device/cuda_device.h"
#include "io/io_engine.h"
#include "io/request_queue.h"
#include "memory/block_pool.h"
#include "transfer/job.h"

namespace snapshard {

class Engine;

enum class EngineChoice { kAuto, kUring, kThreads };

struct StagingOptions {
  uint64_t staging_bytes = 0;
  uint64_t block_bytes = 0;
  unsigned queue_depth = 0;
  unsigned threads = 0;
  EngineChoice engine = EngineChoice::kAuto;
  bool direct = true;
  // Faults the pool in, and registers it with the ring; else whoever takes a block faults it in.
  bool prefault = true;
  // The pool is put near this device, and registered with the driver; else by whoever copies first. -1: none.
  int cuda_device = -1;
};

// A pool, a queue of requests, and the jobs that share them: transfers among themselves are staged in order, and so are
// reads; the two take turns.
class Staging : public std::enable_shared_from_this<Staging> {
 public:
  // Maps the pool, and may fault it in: not for the JavaScript thread.
  static Status create(std::shared_ptr<Engine> engine, const StagingOptions& options,
                       std::shared_ptr<Staging>& staging);
  explicit Staging(std::shared_ptr<Engine> engine, const StagingOptions& options);
  ~Staging();

  [[nodiscard]] const StagingOptions& options() const { return options_; }
  [[nodiscard]] BlockPool& pool() { return pool_; }
  [[nodiscard]] Engine& engine() { return *engine_; }
  // Direct requests go through the ring where there is one; buffered ones always through threads, as those of files
  // that ask for it.
  [[nodiscard]] IoEngine& engine_for(bool by_threads);
  [[nodiscard]] bool uses_uring() const { return uses_uring_; }
  // Why not, or why the pool is not registered; empty when all is as wished.
  [[nodiscard]] const std::string& engine_reason() const { return engine_reason_; }

  // Once, registers the pool with the driver, for all devices. Why it could not be, or empty; copies work all the same,
  // slower. It may take long: not for the JavaScript thread.
  const std::string& register_with_cuda(const std::shared_ptr<CudaDevice>& device);
  // Once that has returned.
  [[nodiscard]] bool is_pinned() const { return pinned_ != nullptr; }

  // A request that is ready, and counted as an activity of its job (its listener).
  void enqueue(IoRequest& request);
  // One of the requests that Job::issue let through has ended.
  void request_ended();

  void add(std::shared_ptr<Job> job);
  void remove(const Job* job);
  std::vector<std::shared_ptr<Job>> jobs();

 private:
  friend class Engine;

  Status make_pool();
  Status choose_engine();
  void pump();

  const std::shared_ptr<Engine> engine_;
  const StagingOptions options_;
  BlockPool pool_;
  bool uses_uring_ = false;
  bool registered_ = false;
  // The pool is to be near it; nullptr where that is all the same.
  std::shared_ptr<CudaDevice> near_device_;
  std::string engine_reason_;
  std::once_flag pin_once_;
  // Goes before the pool does.
  std::unique_ptr<CudaPinned> pinned_;
  std::string pin_reason_;

  std::mutex queue_mutex_;
  RequestQueue ready_;
  unsigned in_flight_ = 0;

  // Under the engine's lock.
  using Jobs = std::vector<std::shared_ptr<Job>>;
  Jobs& jobs_of(Job::Kind kind) { return jobs_[static_cast<size_t>(kind)]; }
  std::array<Jobs, 2> jobs_;
  // Whose items come first: those of a kind that finds too few free blocks keep their turn, and no others take any.
  Job::Kind turn_ = Job::Kind::kWrite;
  unsigned active_stagers_ = 0;
};

}  // namespace snapshard
