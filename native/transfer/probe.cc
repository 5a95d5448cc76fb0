#include "transfer/probe.h"

#include <string.h>
#include <sys/random.h>

#include <algorithm>
#include <utility>

#include "base/sizes.h"
#include "transfer/engine.h"
#include "transfer/staging.h"

namespace snapshard {

namespace {

// Another one for each block of each process: no two write the same.
uint64_t random_seed() {
  uint64_t seed = 0;
  if (::getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed)) return seed;
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

// SplitMix64 (Steele, Lea, Flood 2014): what it gives does not compress.
void fill_randomly(std::byte* data, size_t bytes) {
  uint64_t state = random_seed();
  for (size_t offset = 0; offset < bytes; offset += sizeof(state)) {
    state += 0x9e3779b97f4a7c15;
    uint64_t value = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    value ^= value >> 31;
    ::memcpy(data + offset, &value, sizeof(value));
  }
}

}  // namespace

Probe::Probe(Kind kind, std::shared_ptr<Staging> staging, Needs needs, std::unique_ptr<ProbeListener> listener)
    : Job(kind, std::move(staging)),
      fills_(needs.fills),
      pieces_(needs.pieces),
      listener_(std::move(listener)),
      blocks_(needs.blocks),
      fills_left_(needs.fills) {}

Probe::~Probe() = default;

void Probe::start() {
  // Whoever called may be the only owner, and the probe may end before this returns.
  const std::shared_ptr<Job> keep = shared_from_this();
  const bool taken = staging_->pool().try_take(blocks_.size(), blocks_.data());
  if (!taken) blocks_.clear();
  begin_life();
  if (!taken) return fail(Status::failure(Failure::kArgument, "expected a staging with more free blocks"));
  if (fills_ == 0) start_clock();
}

Claim Probe::claim(bool /*may_take_blocks*/) {
  Claim claim;
  const std::lock_guard lock(mutex_);
  if (life_ended_ || !has_unclaimed() || blocks_.empty()) return claim;
  if (next_item_ >= fills_ && !clock_runs_.load(std::memory_order_acquire)) return claim;
  claim.item = next_item_++;
  begin_activity();
  return claim;
}

void Probe::run(size_t item, Step /*step*/, Stager& /*stager*/) {
  if (failed()) return end_activity();
  if (item >= fills_) {
    run_piece(item - fills_);
  } else {
    fill_randomly(blocks_[item], staging_->pool().block_bytes());
    if (fills_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) start_clock();
  }
  end_activity();
}

void Probe::start_clock() {
  cpu_seconds_before_ = cpu_seconds();
  started_ = std::chrono::steady_clock::now();
  clock_runs_.store(true, std::memory_order_release);
  begin();
  staging_->engine().notify();
}

void Probe::finish() {
  outcome_.seconds = elapsed_seconds();
  outcome_.cpu_seconds = cpu_seconds() - cpu_seconds_before_;
  end_life();
}

void Probe::end(Status status) {
  for (std::byte* block : blocks_) staging_->pool().give_back(block);
  // Whoever was short of blocks looks again.
  staging_->engine().notify();
  outcome_.status = std::move(status);
  listener_->on_ended(std::move(outcome_));
}

double Probe::elapsed_seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

CopyProbe::CopyProbe(const std::shared_ptr<Staging>& staging, uint64_t bytes, std::unique_ptr<ProbeListener> listener)
    : Probe(Kind::kWrite, staging, needs_of(divide_up(bytes, staging->options().block_bytes)), std::move(listener)),
      count_(divide_up(bytes, staging->options().block_bytes)),
      left_(count_) {
  outcome_.bytes = bytes;
}

// So many blocks to copy from, and as many to copy to.
Probe::Needs CopyProbe::needs_of(size_t count) { return {2 * count, count, count}; }

bool CopyProbe::issue(IoRequest& /*request*/) { return false; }

void CopyProbe::on_completed(IoRequest& /*request*/, int64_t /*result*/) {}

double CopyProbe::cpu_seconds() { return staging_->engine().cpu_seconds(); }

void CopyProbe::run_piece(size_t piece) {
  const uint64_t block_bytes = staging_->options().block_bytes;
  ::memcpy(block(count_ + piece), block(piece), std::min(block_bytes, outcome_.bytes - piece * block_bytes));
  if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  outcome_.moved_seconds = elapsed_seconds();
  finish();
}

}  // namespace snapshard
