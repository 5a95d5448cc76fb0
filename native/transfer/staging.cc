#include "transfer/staging.h"

#include <utility>

#include "io/uring.h"
#include "transfer/engine.h"

namespace snapshard {

Staging::Staging(std::shared_ptr<Engine> engine, const StagingOptions& options)
    : engine_(std::move(engine)), options_(options) {}

Staging::~Staging() {
  if (registered_) engine_->uring()->unregister_memory(pool_.memory().data(), pool_.memory().bytes());
}

Status Staging::create(std::shared_ptr<Engine> engine, const StagingOptions& options,
                       std::shared_ptr<Staging>& staging) {
  auto made = std::make_shared<Staging>(std::move(engine), options);
  Status status = made->make_pool();
  if (status.ok()) status = made->choose_engine();
  if (status.ok()) status = made->engine_->add(made);
  if (status.ok()) staging = std::move(made);
  return status;
}

Status Staging::make_pool() {
  Status status;
  if (options_.cuda_device >= 0) status = CudaDevice::open(options_.cuda_device, near_device_);
  if (status.ok()) status = BlockPool::create(options_.staging_bytes, options_.block_bytes, pool_);
  if (!status.ok()) return status;
  if (near_device_ != nullptr) pool_.prefer_node(near_device_->numa_node());
  if (options_.prefault) status = pool_.prefault();
  if (status.ok() && near_device_ != nullptr) register_with_cuda(near_device_);
  return status;
}

const std::string& Staging::register_with_cuda(const std::shared_ptr<CudaDevice>& device) {
  std::call_once(pin_once_, [this, &device] {
    const Status status = CudaPinned::create(device, pool_.memory().data(), pool_.memory().bytes(), pinned_);
    if (!status.ok()) pin_reason_ = "the pool is not registered with the CUDA driver: " + status.message();
  });
  return pin_reason_;
}

Status Staging::choose_engine() {
  if (options_.engine == EngineChoice::kThreads) {
    engine_reason_ = "chosen by the option `engine: 'pwrite'`";
    return {};
  }
  const Status& usable = engine_->uring_status();
  uses_uring_ = usable.ok();
  if (!uses_uring_) {
    engine_reason_ = "io_uring is not available: " + describe_uring_failure(usable);
    return options_.engine == EngineChoice::kUring ? usable : Status();
  }
  if (!options_.prefault) return {};
  const Status registered = engine_->uring()->register_memory(pool_.memory().data(), pool_.memory().bytes());
  registered_ = registered.ok();
  if (!registered_) engine_reason_ = "the pool is not registered with io_uring: " + describe_uring_failure(registered);
  return {};
}

IoEngine& Staging::engine_for(bool by_threads) {
  if (uses_uring_ && !by_threads) return *engine_->uring();
  return engine_->threads();
}

void Staging::enqueue(IoRequest& request) {
  request.owner = this;
  {
    const std::lock_guard lock(queue_mutex_);
    ready_.push(&request);
  }
  pump();
}

void Staging::request_ended() {
  {
    const std::lock_guard lock(queue_mutex_);
    --in_flight_;
  }
  pump();
}

void Staging::pump() {
  // The last activity of a job may end here, and with it the last owner of this object.
  const std::shared_ptr<Staging> keep = shared_from_this();
  std::unique_lock lock(queue_mutex_);
  while (in_flight_ < options_.queue_depth) {
    IoRequest* request = ready_.pop();
    if (request == nullptr) return;
    ++in_flight_;
    lock.unlock();
    const bool issued = static_cast<Job*>(request->listener)->issue(*request);
    lock.lock();
    if (!issued) --in_flight_;
  }
}

void Staging::add(std::shared_ptr<Job> job) {
  {
    const std::lock_guard lock(engine_->mutex());
    jobs_of(job->kind()).push_back(std::move(job));
  }
  engine_->notify();
}

void Staging::remove(const Job* job) {
  {
    const std::lock_guard lock(engine_->mutex());
    std::erase_if(jobs_of(job->kind()), [job](const auto& entry) { return entry.get() == job; });
  }
  // It may have stood in the way of those behind it.
  engine_->notify();
}

std::vector<std::shared_ptr<Job>> Staging::jobs() {
  const std::lock_guard lock(engine_->mutex());
  std::vector<std::shared_ptr<Job>> all;
  for (const Jobs& some : jobs_) all.insert(all.end(), some.begin(), some.end());
  return all;
}

}  // namespace snapshard
