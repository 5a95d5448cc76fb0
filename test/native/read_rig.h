// Reads under way, over the engine and the directory of a Rig.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "read_plan.h"
#include "rig.h"

namespace snapshard::test {

// What a read told its listener.
class ReadWatch {
 public:
  void ended(ReadOutcome outcome);
  // Waits, for a minute at most.
  const ReadOutcome& wait_until_ended();

 private:
  std::mutex mutex_;
  std::condition_variable signal_;
  int ended_ = 0;
  std::optional<ReadOutcome> outcome_;
};

struct RunningRead {
  std::shared_ptr<Read> read;
  std::shared_ptr<ReadWatch> watch;
  ReadExpectation expected;
  std::vector<Target> targets;
  std::vector<std::shared_ptr<std::vector<std::byte>>> buffers;
  bool hash = true;

  [[nodiscard]] const ReadOutcome& outcome() const { return watch->wait_until_ended(); }
  // Compares digests, targets, and what is around them.
  void check() const;
  void check_failed(Failure kind, int error = 0) const;
  void abort() const { read->fail(Status::failure(Failure::kAborted, "aborted by the test")); }
};

// Copies of targets of kind kBuffer succeed this often; then their memory is gone.
inline constexpr size_t kCopiesWithoutEnd = SIZE_MAX;

// Neither prepared nor started.
RunningRead make_read(const Rig& rig, const std::shared_ptr<Staging>& staging, ReadPlan plan, ReadOptions options = {},
                      size_t copies = kCopiesWithoutEnd);
RunningRead start_read(const Rig& rig, const std::shared_ptr<Staging>& staging, ReadPlan plan, ReadOptions options = {},
                       size_t copies = kCopiesWithoutEnd);

}  // namespace snapshard::test
