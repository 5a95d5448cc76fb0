// The device snapshot: memory is allocated on the thread of each lane; if all of them got theirs, each copies.
#include <errno.h>

#include <utility>

#include "transfer/engine.h"
#include "transfer/staging.h"
#include "transfer/transfer_parts.h"

namespace snapshard {

namespace {

// CUDA_ERROR_OUT_OF_MEMORY.
constexpr int kOutOfDeviceMemory = 2;

bool is_out_of_memory(const Status& status) {
  return (status.kind() == Failure::kCuda && status.error() == kOutOfDeviceMemory) ||
         (status.kind() == Failure::kSystem && status.error() == ENOMEM);
}

Status ending() { return Status::failure(Failure::kAborted, "the environment is ending"); }

}  // namespace

void Transfer::ask_for_snapshot() {
  allocations_left_ = lanes_.size();
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (!try_begin_activity()) return;
    lanes_[lane].run([this, lane](bool cancelled) { allocate_snapshot(lane, cancelled); });
  }
}

void Transfer::allocate_snapshot(size_t lane, bool cancelled) {
  if (cancelled) fail(ending());
  Status status = failed() ? Status() : snapshot_.allocate(lane, lanes_[lane].device().ordinal());
  if (is_out_of_memory(status)) {
    const std::lock_guard lock(mutex_);
    outcome_.device_reason = "no device snapshot: device " + std::to_string(lanes_[lane].device().ordinal()) +
                             " has too little free memory: " + status.message();
  } else if (!status.ok()) {
    fail(std::move(status));
  }
  if (allocations_left_.fetch_sub(1, std::memory_order_acq_rel) == 1 && !failed()) decide_on_snapshot();
  end_activity();
}

void Transfer::decide_on_snapshot() {
  if (!outcome_.device_reason.empty()) {
    snapshot_.release();
    begin_items();
    return;
  }
  has_snapshot_ = true;
  outcome_.device_snapshot = true;
  // The snapshots count as one item each, in place of those that are nothing but device memory.
  size_t items = lanes_.size();
  for (size_t item = 0; item < layout_.block_count(); ++item) items += waits_for_reading(item) ? 1 : 0;
  items_left_ = items;
  allocations_left_ = lanes_.size();
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    begin_activity();
    lanes_[lane].run([this, lane](bool cancelled) { copy_snapshot(lane, cancelled); });
  }
}

void Transfer::copy_snapshot(size_t lane, bool cancelled) {
  if (cancelled) fail(ending());
  if (!failed()) {
    begin_activity();
    lanes_[lane].copy(CudaDirection::kWithinDevice, snapshot_.copies(lane), [this](Status status) {
      if (!status.ok()) fail(std::move(status));
      if (!failed()) item_read();
      end_activity();
    });
    // Only now: what reads the snapshot has to come behind it in the lane.
    if (allocations_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) begin_items();
  }
  end_activity();
}

void Transfer::begin_items() {
  {
    const std::lock_guard lock(mutex_);
    waits_for_snapshot_ = false;
  }
  staging_->engine().notify();
}

// Whether `staged` waits until this item has been read.
bool Transfer::waits_for_reading(size_t item) const { return item_reads_[item] != kReadsDevice; }

}  // namespace snapshard
