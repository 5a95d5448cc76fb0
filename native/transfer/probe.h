#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "io/direct_rules.h"
#include "transfer/job.h"

namespace snapshard {

struct ProbeOutcome {
  Status status;
  uint64_t bytes = 0;
  Direct direct = Direct::kYes;
  std::string direct_reason;
  // Why the file did not go through the ring, though direct; else empty.
  std::string threads_reason;
  // Until the last byte was where it belongs; and, of a file that was written, until that was durable.
  double moved_seconds = 0;
  double seconds = 0;
  // Of all threads meanwhile.
  double cpu_seconds = 0;
};

// Told, on some native thread, how a probe ends.
class ProbeListener {
 public:
  virtual ~ProbeListener() = default;
  // The last call: nothing of the probe runs any more, its blocks are back in the pool, its file is closed.
  virtual void on_ended(ProbeOutcome outcome) = 0;
};

// How fast the machine is by itself: bytes moved with the means of a save, and nothing done besides.
//
// Stagers first fill blocks with random bytes; the clock starts when that is done. Some probes give them further work.
class Probe : public Job {
 public:
  ~Probe() override;

  // Once. The staging must be nobody else's: all blocks are taken at the start.
  void start();

  [[nodiscard]] bool has_unclaimed() const override { return next_item_ < fills_ + pieces_ && !failed(); }
  Claim claim(bool may_take_blocks) override;
  void run(size_t item, Step step, Stager& stager) override;

 protected:
  struct Needs {
    size_t blocks = 0;
    // The first so many of them are filled.
    size_t fills = 0;
    // Of further work.
    size_t pieces = 0;
  };

  Probe(Kind kind, std::shared_ptr<Staging> staging, Needs needs, std::unique_ptr<ProbeListener> listener);

  [[nodiscard]] std::byte* block(size_t index) const { return blocks_[index]; }
  [[nodiscard]] double elapsed_seconds() const;
  // Processor seconds of all threads that take part.
  virtual double cpu_seconds() = 0;
  // The clock has started.
  virtual void begin() = 0;
  virtual void run_piece(size_t piece) = 0;
  // All is done.
  void finish();
  void end(Status status) override;

  ProbeOutcome outcome_;

 private:
  void start_clock();

  const size_t fills_;
  const size_t pieces_;
  const std::unique_ptr<ProbeListener> listener_;
  std::vector<std::byte*> blocks_;
  std::chrono::steady_clock::time_point started_;
  double cpu_seconds_before_ = 0;
  // Of the scheduler alone, under its lock.
  size_t next_item_ = 0;
  std::atomic<size_t> fills_left_;
  std::atomic<bool> clock_runs_{false};
};

// Copies so many bytes from memory to memory: stagers do nothing but memcpy(3), a block at a time.
class CopyProbe final : public Probe {
 public:
  CopyProbe(const std::shared_ptr<Staging>& staging, uint64_t bytes, std::unique_ptr<ProbeListener> listener);

  bool issue(IoRequest& request) override;
  void on_completed(IoRequest& request, int64_t result) override;

 private:
  static Needs needs_of(size_t count);
  double cpu_seconds() override;
  void begin() override {}
  void run_piece(size_t piece) override;

  const size_t count_;
  std::atomic<size_t> left_;
};

}  // namespace snapshard
