#include "transfer/engine.h"

#include <errno.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "transfer/staging.h"

namespace snapshard {

namespace {

// For a ring with nothing under way.
constexpr std::chrono::seconds kIdleRingLimit(10);

}  // namespace

const Status& Engine::uring_status() {
  std::call_once(uring_once_, [this] {
    std::unique_ptr<UringEngine> made;
    uring_status_ = UringEngine::create(made);
    if (made == nullptr) return;
    {
      const std::lock_guard lock(mutex_);
      if (!stopping_) {
        uring_ = std::move(made);
        return;
      }
    }
    // Nobody else will end it: `stop` has been here already.
    (void)made->stop(kIdleRingLimit);
    uring_status_ = Status::failure(Failure::kAborted, "the environment is ending");
  });
  return uring_status_;
}

Status Engine::add(std::shared_ptr<Staging> staging) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return Status::failure(Failure::kAborted, "the environment is ending");
  stagers_wanted_ += staging->options().threads;
  while (stagers_.size() < staging->options().threads) {
    if (!start_stager()) break;
  }
  if (stagers_.empty()) {
    stagers_wanted_ -= staging->options().threads;
    return Status::system(EAGAIN, "pthread_create");
  }
  stagings_.push_back(std::move(staging));
  return {};
}

bool Engine::start_stager() {
  try {
    auto stager = std::make_unique<Worker>();
    const auto number = static_cast<uint32_t>(stagers_.size());
    stager->start("snapshard-stage", [this, number] { run(number); });
    stagers_.push_back(std::move(stager));
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void Engine::remove(const Staging* staging) {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : stagings_) {
    if (entry.get() == staging) stagers_wanted_ -= staging->options().threads;
  }
  std::erase_if(stagings_, [staging](const auto& entry) { return entry.get() == staging; });
}

void Engine::notify() {
  const std::lock_guard lock(mutex_);
  signal_.notify_all();
}

void Engine::run(uint32_t number) {
  Stager stager(number);
  while (true) {
    // Let go outside the lock: the last owner of a staging waits for the ring.
    Work work;
    {
      std::unique_lock lock(mutex_);
      signal_.wait(lock, [this, &work] { return stopping_ || find_work(work); });
      if (stopping_) return;
      ++work.staging->active_stagers_;
      // Those at work may come back late: a file that is a source may be on a mount that does not answer.
      if (++busy_stagers_ == stagers_.size() && stagers_.size() < stagers_wanted_) (void)start_stager();
    }
    work.job->run(work.item, work.step, stager);
    {
      const std::lock_guard lock(mutex_);
      --work.staging->active_stagers_;
      --busy_stagers_;
      // Another stager may have found this staging at its limit.
      signal_.notify_all();
    }
  }
}

bool Engine::find_work(Work& work) {
  for (size_t i = 0; i < stagings_.size(); ++i) {
    const std::shared_ptr<Staging>& staging = stagings_[turn_++ % stagings_.size()];
    if (staging->active_stagers_ >= staging->options().threads || !claim(*staging, work)) continue;
    work.staging = staging;
    return true;
  }
  return false;
}

// Whose turn it is goes first; the other kind gets what is left, but no blocks that the first one waits for.
bool Engine::claim(Staging& staging, Work& work) {
  const Job::Kind first = staging.turn_;
  const Job::Kind second = first == Job::Kind::kWrite ? Job::Kind::kRead : Job::Kind::kWrite;
  bool may_take_blocks = true;
  if (claim_of(staging.jobs_of(first), may_take_blocks, work)) {
    staging.turn_ = second;
    return true;
  }
  return claim_of(staging.jobs_of(second), may_take_blocks, work);
}

// Items are begun strictly in order.
bool Engine::claim_of(const std::vector<std::shared_ptr<Job>>& jobs, bool& may_take_blocks, Work& work) {
  for (const std::shared_ptr<Job>& job : jobs) {
    const bool in_the_way = job->has_unclaimed();
    const Claim claim = job->claim(may_take_blocks);
    if (claim.item) {
      work.job = job;
      work.item = *claim.item;
      work.step = claim.step;
      return true;
    }
    if (claim.short_of_blocks) may_take_blocks = false;
    if (in_the_way) return false;
  }
  return false;
}

bool Engine::stop(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const auto left = [deadline] {
    const auto time = deadline - std::chrono::steady_clock::now();
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(time), std::chrono::milliseconds(0));
  };
  std::vector<std::shared_ptr<Job>> jobs;
  UringEngine* ring = nullptr;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ring = uring_.get();
    for (const auto& staging : stagings_) {
      for (const auto& some : staging->jobs_) jobs.insert(jobs.end(), some.begin(), some.end());
    }
    signal_.notify_all();
  }
  for (const auto& job : jobs) job->fail(Status::failure(Failure::kAborted, "the environment is ending"));
  bool ended = true;
  for (const auto& stager : stagers_) ended = stager->join_within(left()) && ended;
  // After the stagers, which ask for copies.
  for (const auto& lane : lanes_) ended = lane->stop(left()) && ended;
  if (ring != nullptr) ended = ring->stop(left()) && ended;
  ended = threads_.stop(left()) && ended;
  if (ended) release_stagings();
  return ended;
}

// An engine and its stagings own each other.
void Engine::release_stagings() {
  std::vector<std::shared_ptr<Staging>> released;
  const std::lock_guard lock(mutex_);
  released.swap(stagings_);
}

double Engine::cpu_seconds() {
  const std::lock_guard lock(mutex_);
  double seconds = threads_.cpu_seconds() + (uring_ != nullptr ? uring_->cpu_seconds() : 0);
  for (const auto& stager : stagers_) seconds += stager->cpu_seconds();
  for (const auto& lane : lanes_) seconds += lane->cpu_seconds();
  return seconds;
}

}  // namespace snapshard
