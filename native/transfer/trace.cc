#include "transfer/trace.h"

namespace snapshard {

namespace {

constexpr uint64_t kTimedEachBytes = 2 * kMiB;

}  // namespace

void GatherClock::begin(bool on) {
  *this = GatherClock();
  on_ = on;
  timed_ = on;
  if (!on) return;
  start_ = trace_now();
  last_ = start_;
}

// Whether this piece is timed.
void GatherClock::choose(uint64_t bytes) {
  ++pieces_;
  untimed_bytes_ += bytes;
  const bool goes_on = timed_;
  timed_ = pieces_ <= 2 || untimed_bytes_ >= kTimedEachBytes;
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
  const TraceTime untimed = block.gather_end - block.gather_start - first_copy_ - first_hash_ - copy_ - hash_;
  const bool several = copy_ + hash_ > 0;
  const TraceTime copied = several ? copy_ : first_copy_;
  const TraceTime timed = several ? copy_ + hash_ : first_copy_ + first_hash_;
  const double copy_share = timed > 0 ? static_cast<double>(copied) / static_cast<double>(timed) : 0;
  const auto copy = static_cast<TraceTime>(static_cast<double>(untimed) * copy_share);
  block.copy = first_copy_ + copy_ + copy;
  block.hash = timed > 0 ? first_hash_ + hash_ + untimed - copy : 0;
}

}  // namespace snapshard
