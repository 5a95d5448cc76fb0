#include "device/cuda_lane.h"

#include <errno.h>

#include <algorithm>
#include <future>
#include <system_error>

#include "device/cuda_allocation.h"
#include "device/cuda_copies.h"
#include "device/cuda_functions.h"

namespace snapshard {

namespace {

void* to_driver(CudaHandle handle) { return reinterpret_cast<void*>(handle); }

Status stopped() { return Status::failure(Failure::kClosed, "the CUDA copies are stopped: the environment is ending"); }

// The event may be destroyed at once: the driver keeps what waits for it.
Status wait_for_stream(void* waiting, void* stream) {
  void* event = nullptr;
  if (Status status = cuda().event_create(&event, kCudaEventDisableTiming); !status.ok()) return status;
  Status status = cuda().event_record(event, stream);
  if (status.ok()) status = cuda().stream_wait_event(waiting, event, 0);
  Status destroyed = cuda().event_destroy(event);
  return status.ok() ? destroyed : status;
}

}  // namespace

Status CudaLane::create(std::shared_ptr<CudaDevice> device, std::unique_ptr<CudaLane>& lane) {
  auto fresh = std::make_unique<CudaLane>(Key{}, std::move(device));
  Status status = fresh->start();
  if (status.ok()) lane = std::move(fresh);
  return status;
}

Status CudaLane::start() {
  const CudaScope scope(*device_);
  if (!scope.status().ok()) return scope.status();
  if (Status status = cuda().stream_create(&stream_, kCudaStreamNonBlocking); !status.ok()) return status;
  Status status = start_thread();
  if (!status.ok()) destroy();
  return status;
}

// Without the context the thread could wait for nothing, so nothing is begun before it has that.
Status CudaLane::start_thread() {
  const auto entered = std::make_shared<std::promise<Status>>();
  try {
    worker_.start("snapshard-cuda", [this, entered] {
      const CudaScope scope(*device_);
      entered->set_value(scope.status());
      if (scope.status().ok()) run_thread();
    });
  } catch (const std::system_error&) {
    return Status::system(EAGAIN, "pthread_create");
  }
  Status status = entered->get_future().get();
  if (!status.ok()) (void)worker_.join_within(std::chrono::hours(1));
  return status;
}

Status CudaLane::wait_for(const CudaOrder& order) {
  const std::lock_guard issuing(issue_mutex_);
  if (stopping()) return stopped();
  const CudaScope scope(*device_);
  if (!scope.status().ok()) return scope.status();
  switch (order.kind) {
    case CudaOrder::Kind::kStream:
      return wait_for_stream(stream_, to_driver(order.handle));
    case CudaOrder::Kind::kEvent:
      return cuda().stream_wait_event(stream_, to_driver(order.handle), 0);
    case CudaOrder::Kind::kIpcEvent:
      break;
  }
  return cuda().stream_wait_event(stream_, order.ipc_event->event(), 0);
}

void CudaLane::copy(CudaDirection direction, std::span<const CudaCopy> copies, Done done) {
  {
    const std::lock_guard issuing(issue_mutex_);
    if (!stopping()) {
      Pending pending = issue(direction, copies);
      pending.done = std::move(done);
      const std::lock_guard lock(mutex_);
      pending_.push_back(std::move(pending));
      signal_.notify_one();
      return;
    }
  }
  done(stopped());
}

CudaLane::Pending CudaLane::issue(CudaDirection direction, std::span<const CudaCopy> copies) {
  Pending pending;
  if (std::all_of(copies.begin(), copies.end(), [](const CudaCopy& copy) { return copy.bytes == 0; })) return pending;
  const CudaScope scope(*device_);
  pending.status = scope.status().ok() ? take_event(pending.event) : scope.status();
  if (!pending.status.ok()) return pending;
  pending.status = issue_copies(direction, copies, stream_);
  // Also after a failure: what was begun before it has to end.
  Status recorded = cuda().event_record(pending.event, stream_);
  pending.drain = !recorded.ok();
  if (pending.status.ok()) pending.status = std::move(recorded);
  return pending;
}

Status CudaLane::take_event(void*& event) {
  {
    const std::lock_guard lock(mutex_);
    if (!spare_events_.empty()) {
      event = spare_events_.back();
      spare_events_.pop_back();
      return {};
    }
  }
  return cuda().event_create(&event, kCudaEventBlockingSync | kCudaEventDisableTiming);
}

void CudaLane::run(std::function<void(bool cancelled)> task) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      pending_.emplace_back().task = std::move(task);
      signal_.notify_one();
      return;
    }
  }
  task(true);
}

void CudaLane::run_thread() {
  finish_all();
  // Who came before stop() may still be asking the driver; who comes later is refused.
  { const std::lock_guard issuing(issue_mutex_); }
  finish_all();
  destroy();
}

void CudaLane::finish_all() {
  for (Pending pending; next(pending); pending = Pending()) {
    if (pending.task) {
      pending.task(pending.cancelled);
    } else {
      Status waited = wait_for_copies(pending);
      pending.done(pending.status.ok() ? std::move(waited) : std::move(pending.status));
    }
  }
}

// False when there is nothing left to do.
bool CudaLane::next(Pending& pending) {
  std::unique_lock lock(mutex_);
  signal_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
  if (pending_.empty()) return false;
  pending = std::move(pending_.front());
  pending_.pop_front();
  pending.cancelled = stopping_;
  return true;
}

Status CudaLane::wait_for_copies(Pending& pending) {
  if (pending.event == nullptr) return {};
  Status status;
  if (!pending.drain) status = cuda().event_synchronize(pending.event);
  if (!pending.drain && status.ok()) {
    const std::lock_guard lock(mutex_);
    spare_events_.push_back(pending.event);
    return {};
  }
  // It may be the waiting alone that failed: the copies must have ended all the same.
  Status drained = cuda().stream_synchronize(stream_);
  (void)cuda().event_destroy(pending.event);
  return status.ok() ? drained : status;
}

bool CudaLane::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void CudaLane::destroy() {
  for (void* event : spare_events_) (void)cuda().event_destroy(event);
  (void)cuda().stream_destroy(stream_);
}

bool CudaLane::stop(std::chrono::milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    signal_.notify_one();
  }
  return worker_.join_within(limit);
}

}  // namespace snapshard
