// Lanes of devices: made when a job first needs one, and kept for the next.
#include <algorithm>
#include <utility>

#include "transfer/engine.h"

namespace snapshard {

namespace {

// For a lane that was given nothing to do.
constexpr std::chrono::seconds kIdleLaneLimit(10);

}  // namespace

Status Engine::take_lane(const std::shared_ptr<CudaDevice>& device, CudaLane*& lane) {
  {
    const std::lock_guard lock(mutex_);
    const auto idle = std::find_if(idle_lanes_.begin(), idle_lanes_.end(), [&device](const CudaLane* some) {
      return some->device().ordinal() == device->ordinal();
    });
    if (idle != idle_lanes_.end() && !stopping_) {
      lane = *idle;
      idle_lanes_.erase(idle);
      return {};
    }
  }
  std::unique_ptr<CudaLane> made;
  Status status = CudaLane::create(device, made);
  if (!status.ok()) return status;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      lane = made.get();
      lanes_.push_back(std::move(made));
      return {};
    }
  }
  // Nobody else will end it: `stop` has been here already.
  if (!made->stop(kIdleLaneLimit)) (void)made.release();
  return Status::failure(Failure::kAborted, "the environment is ending");
}

void Engine::give_back(CudaLane* lane) {
  const std::lock_guard lock(mutex_);
  idle_lanes_.push_back(lane);
}

}  // namespace snapshard
