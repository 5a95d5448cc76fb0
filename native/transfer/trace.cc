#include "transfer/trace.h"

namespace snapshard {

namespace {

constexpr uint64_t kTimedEachBytes = 2 * kMiB;

}  // namespace

void GatherClock::begin(bool on) {
  on_ = on;
  timed_ = on;
  if (!on) return;
  // The first piece counts, however small.
  untimed_bytes_ = kTimedEachBytes;
  start_ = trace_now();
  last_ = start_;
  copy_ = 0;
  hash_ = 0;
}

// Whether this piece is timed.
void GatherClock::choose(uint64_t bytes) {
  untimed_bytes_ += bytes;
  const bool goes_on = timed_;
  timed_ = untimed_bytes_ >= kTimedEachBytes;
  if (!timed_) return;
  untimed_bytes_ = 0;
  if (!goes_on) last_ = trace_now();
}

void GatherClock::add_lap(TraceTime& sum) {
  const TraceTime now = trace_now();
  sum += now - last_;
  last_ = now;
}

void GatherClock::end(BlockTrace& block) const {
  block.gather_start = start_;
  block.gather_end = trace_now();
  const TraceTime timed = copy_ + hash_;
  const TraceTime untimed = block.gather_end - block.gather_start - timed;
  const double copy_share = timed > 0 ? static_cast<double>(copy_) / static_cast<double>(timed) : 0;
  const auto copy = static_cast<TraceTime>(static_cast<double>(untimed) * copy_share);
  block.copy = copy_ + copy;
  block.hash = timed > 0 ? hash_ + untimed - copy : 0;
}

}  // namespace snapshard
