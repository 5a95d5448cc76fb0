#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/sizes.h"

namespace snapshard {

// Nanoseconds of the steady clock, which is the same for all threads.
using TraceTime = int64_t;

inline TraceTime trace_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What became of one block of a transfer, and when. Each field is written by the one thread that has the block at that
// moment; all are read once the transfer has ended.
struct BlockTrace {
  static constexpr TraceTime kNever = -1;

  uint64_t offset = 0;
  uint32_t file = 0;
  // Without padding.
  uint32_t bytes = 0;
  // The stager that gathered it. What was gathered with the block before it, to its last byte, has no time of its own.
  uint32_t thread = 0;
  TraceTime gather_start = kNever;
  TraceTime gather_end = kNever;
  // Durations. Of a block that is gathered from a device: until all had landed, from gather_start on; and the hashing
  // after that.
  TraceTime copy = 0;
  TraceTime hash = 0;
  TraceTime queued = kNever;
  TraceTime submitted = kNever;
  TraceTime completed = kNever;
};

// Empty, and never started, where none was asked for.
struct Trace {
  TraceTime started = 0;
  // In the order of the files.
  std::vector<BlockTrace> blocks;
};

// Divides the time that a stager spends on an item between copying and hashing, which alternate. One piece in each 2
// MiB is timed, and stands for the others. So is the first one, which may open a file and so stands for itself alone,
// and the second. To look at the clock is to wait for all memory
// accesses under way, some 100 ns, and at each of the pieces of 256 KiB that made up 0.4 % of the processor time.
class GatherClock {
 public:
  // Off: all that follows does nothing.
  void begin(bool on);
  // What comes next is copied, then hashed; either may be left out.
  void begin_piece(uint64_t bytes) {
    if (on_) choose(bytes);
  }
  void copied() {
    if (timed_) add_lap(pieces_ == 1 ? first_copy_ : copy_);
  }
  void hashed() {
    if (timed_) add_lap(pieces_ == 1 ? first_hash_ : hash_);
  }
  // Where it is on.
  void end(BlockTrace& block) const;

 private:
  void choose(uint64_t bytes);
  void add_lap(TraceTime& sum);

  bool on_ = false;
  bool timed_ = false;
  uint64_t untimed_bytes_ = 0;
  TraceTime start_ = 0;
  TraceTime last_ = 0;
  uint64_t pieces_ = 0;
  TraceTime first_copy_ = 0;
  TraceTime first_hash_ = 0;
  TraceTime copy_ = 0;
  TraceTime hash_ = 0;
};

}  // namespace snapshard
