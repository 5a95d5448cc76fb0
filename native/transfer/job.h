#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "base/status.h"
#include "io/io_engine.h"

namespace snapshard {

class Staging;
class Stager;

// Items of work come in two steps: a transfer stages one and, written in place, checks it again; a read asks for one
// and, once it has landed, hashes it and hands it out.
enum class Step { kFirst, kSecond };

// What the scheduler got from a job.
struct Claim {
  std::optional<size_t> item;
  Step step = Step::kFirst;
  // There would be an item, were there blocks.
  bool short_of_blocks = false;
};

// What goes through a staging: a set of files being written (Transfer) or read (Read).
//
// Life: every item under way, every request queued or in flight, and every task on a directory's thread is one
// *activity*; the job as a whole is one too, until it is done or has failed. When the last activity ends, `end` is
// called and the job lets go of itself. Failing is: remember the first status, claim nothing more, drop what is queued,
// wait for what is in flight.
class Job : public IoListener, public std::enable_shared_from_this<Job> {
 public:
  ~Job() override;

  enum class Kind : uint8_t { kWrite, kRead };

  [[nodiscard]] Kind kind() const { return kind_; }
  // No effect once it has ended.
  void fail(Status status);
  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_acquire); }

  // For the scheduler, which calls them under its lock. Jobs behind this one wait while it has items to begin.
  [[nodiscard]] virtual bool has_unclaimed() const = 0;
  // Takes the blocks that the item needs, if it may.
  virtual Claim claim(bool may_take_blocks) = 0;

  // For stager threads, after a claim.
  virtual void run(size_t item, Step step, Stager& stager) = 0;

  // For the staging's queue: to the engine, or dropped where the job has failed (false).
  virtual bool issue(IoRequest& request) = 0;

 protected:
  Job(Kind kind, std::shared_ptr<Staging> staging);

  // Hands it to the scheduler, once.
  void begin_life();
  void end_life();
  bool try_begin_activity();
  void begin_activity() { activities_.fetch_add(1, std::memory_order_relaxed); }
  void end_activity();
  // Once failed: gives up what nobody will come back to.
  virtual void drop_waiting() {}
  // Nothing of the job runs any more.
  virtual void end(Status status) = 0;

  const std::shared_ptr<Staging> staging_;
  // Taken after the scheduler's lock where both are needed.
  std::mutex mutex_;
  // Under the mutex.
  bool life_ended_ = false;

 private:
  const Kind kind_;
  std::shared_ptr<Job> self_;
  Status status_;
  std::atomic<int64_t> activities_{1};
  std::atomic<bool> failed_{false};
};

}  // namespace snapshard
