#include <chrono>
#include <random>
#include <thread>

#include "driver_double.h"

namespace cuda_double {

namespace {

using Needs = Call::Needs;

// Other processes tell nobody that they recorded an event.
constexpr std::chrono::milliseconds kLook(1);

void be_late(int64_t us_max) {
  static thread_local std::minstd_rand random(std::random_device{}());
  if (us_max > 0 && random() % 4 == 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % static_cast<uint64_t>(us_max)));
  }
}

void run_stream(const std::shared_ptr<Stream>& stream) {
  Lock lock(state().mutex);
  while (true) {
    // A lost device holds nothing up: its work is dropped.
    const auto may_go_on = [&] {
      return !stream->operations.empty() && (state().broken != 0 || (!state().hangs && !stream->held));
    };
    state().changed.wait(lock, [&] { return may_go_on() || (stream->destroyed && stream->operations.empty()); });
    if (stream->operations.empty()) return;
    if (const auto& ready = stream->operations.front().ready; ready && !ready() && state().broken == 0) {
      state().changed.wait_for(lock, kLook);
      continue;
    }
    Operation operation = std::move(stream->operations.front());
    stream->operations.pop_front();
    const bool acts = operation.act != nullptr && state().broken == 0 && operation.losses == state().losses;
    if (acts) ++state().acting;
    const int64_t us_max = state().delay_us_max;
    lock.unlock();
    be_late(us_max);
    if (acts) operation.act();
    operation = Operation();
    lock.lock();
    if (acts) --state().acting;
    ++stream->ended;
    state().changed.notify_all();
  }
}

void wait_in(const std::shared_ptr<Stream>& waiting, const std::shared_ptr<Stream>& other) {
  if (other->ended >= other->asked) return;
  Operation operation;
  operation.ready = [other, until = other->asked] { return other->ended >= until; };
  waiting->operations.push_back(std::move(operation));
  ++waiting->asked;
}

// The legacy stream waits for the blocking ones of its context, and they for it.
void keep_legacy_order(const std::shared_ptr<Stream>& stream) {
  const std::shared_ptr<Stream>& legacy = stream->context->legacy;
  if (stream != legacy) {
    if (stream->blocking) wait_in(stream, legacy);
    return;
  }
  for (const auto& [handle, other] : state().streams) {
    if (other->blocking && other->context == stream->context) wait_in(legacy, other);
  }
}

}  // namespace

std::shared_ptr<Stream> find_stream(void* handle) {
  constexpr uintptr_t kSpecialHandles = 2;
  Context* const context = current_context();
  if (reinterpret_cast<uintptr_t>(handle) <= kSpecialHandles) return context != nullptr ? context->legacy : nullptr;
  const auto found = state().streams.find(handle);
  return found != state().streams.end() ? found->second : nullptr;
}

void start_stream(const std::shared_ptr<Stream>& stream) {
  std::thread([stream] { run_stream(stream); }).detach();
}

void enqueue(const std::shared_ptr<Stream>& stream, Operation operation) {
  keep_legacy_order(stream);
  operation.losses = state().losses;
  stream->operations.push_back(std::move(operation));
  ++stream->asked;
  state().changed.notify_all();
}

Result broken_result(Lock& lock) {
  const int error = state().broken;
  if (error != 0) state().changed.wait(lock, [] { return state().acting == 0; });
  return static_cast<Result>(error);
}

void lose_device(int error) {
  if (error != 0) ++state().losses;
  state().broken = error;
  state().changed.notify_all();
}

Result wait_for_stream(Lock& lock, const std::shared_ptr<Stream>& stream) {
  const uint64_t until = stream->asked;
  state().changed.wait(lock, [&] { return stream->ended >= until || state().broken != 0; });
  return broken_result(lock);
}

CUDA_DOUBLE_API Result cuStreamCreate(void** handle, unsigned flags) {
  const Call call("cuStreamCreate", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  auto stream = std::make_shared<Stream>();
  stream->context = current_context();
  stream->blocking = (flags & 1) == 0;
  start_stream(stream);
  *handle = stream.get();
  state().streams[stream.get()] = std::move(stream);
  ++state().tally.streams;
  return kSuccess;
}

CUDA_DOUBLE_API Result cuStreamDestroy_v2(void* handle) {
  const Call call("cuStreamDestroy_v2", Needs::kContext);
  const auto found = state().streams.find(handle);
  if (found == state().streams.end()) {
    misuse("a stream destroyed that is not there");
    return call.after(kInvalidHandle);
  }
  found->second->destroyed = true;
  state().streams.erase(found);
  --state().tally.streams;
  state().changed.notify_all();
  return call.result();
}

CUDA_DOUBLE_API Result cuStreamSynchronize(void* handle) {
  Call call("cuStreamSynchronize", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  const auto stream = find_stream(handle);
  return stream != nullptr ? wait_for_stream(call.lock, stream) : kInvalidHandle;
}

CUDA_DOUBLE_API Result cuStreamWaitEvent(void* handle, void* event_handle, unsigned /*flags*/) {
  const Call call("cuStreamWaitEvent", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  const auto stream = find_stream(handle);
  const auto event = find_event(event_handle);
  if (stream == nullptr || event == nullptr) return kInvalidHandle;
  Operation operation;
  const uint64_t recorded = event->counters->recorded;
  operation.ready = [event, recorded] { return event->counters->reached >= recorded; };
  enqueue(stream, std::move(operation));
  return kSuccess;
}

}  // namespace cuda_double
