#include "transfer/job.h"

#include <utility>

#include "transfer/engine.h"
#include "transfer/staging.h"

namespace snapshard {

Job::Job(Kind kind, std::shared_ptr<Staging> staging) : staging_(std::move(staging)), kind_(kind) {}

Job::~Job() = default;

void Job::begin_life() {
  self_ = shared_from_this();
  staging_->add(self_);
}

void Job::fail(Status status) {
  {
    const std::lock_guard lock(mutex_);
    if (life_ended_ || failed()) return;
    status_ = std::move(status);
    failed_.store(true, std::memory_order_release);
  }
  // The last owner may be about to let go.
  const std::shared_ptr<Job> keep = shared_from_this();
  end_life();
  drop_waiting();
  // It stands in nobody's way any more.
  staging_->engine().notify();
}

bool Job::try_begin_activity() {
  const std::lock_guard lock(mutex_);
  if (life_ended_) return false;
  begin_activity();
  return true;
}

void Job::end_life() {
  {
    const std::lock_guard lock(mutex_);
    if (life_ended_) return;
    life_ended_ = true;
  }
  end_activity();
}

void Job::end_activity() {
  if (activities_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::shared_ptr<Job> keep = std::move(self_);
  staging_->remove(this);
  end(std::move(status_));
}

}  // namespace snapshard
