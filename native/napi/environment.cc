#include "napi/environment.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "napi/convert.h"

namespace snapshard {

namespace {

// How long the end of an environment waits for devices, all together, before it leaves threads and memory behind.
constexpr std::chrono::seconds kShutDownLimit(20);
// For a thread that has told its last.
constexpr std::chrono::seconds kIdleThreadLimit(1);

using Holder = std::shared_ptr<Environment>;

}  // namespace

Environment::Environment(Napi::Env env)
    : queue(std::make_shared<JsQueue>(env)),
      engine(std::make_shared<Engine>()),
      background(std::make_shared<TaskThread>()) {
  background->start("snapshard-pool");
}

void Environment::attach(Napi::Env env) {
  auto* holder = new Holder();
  try {
    *holder = std::make_shared<Environment>(env);
  } catch (const std::system_error& error) {
    delete holder;
    throw Napi::Error::New(env, std::string("Snapshard could not start a thread: ") + error.what());
  }
  napi_set_instance_data(env, holder, nullptr, nullptr);
  napi_add_env_cleanup_hook(
      env,
      [](void* data) {
        const std::unique_ptr<Holder> ending(static_cast<Holder*>(data));
        (*ending)->shut_down();
      },
      holder);
}

Environment& Environment::of(Napi::Env env) {
  void* holder = nullptr;
  napi_get_instance_data(env, &holder);
  return **static_cast<Holder*>(holder);
}

// Stop, drain, join, then release. What a device still owns is left behind for ever.
void Environment::shut_down() {
  queue->close();
  const auto deadline = std::chrono::steady_clock::now() + kShutDownLimit;
  const auto left = [deadline] {
    const auto time = deadline - std::chrono::steady_clock::now();
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(time), std::chrono::milliseconds(0));
  };
  bool ended = engine->stop(left());
  for (const auto& [handle, store] : stores) ended = store->thread.stop(left()) && ended;
  // A device that does not answer would hold up whoever frees its memory.
  if (ended) background->post([memories = std::move(cuda_memories)](bool) mutable { memories.clear(); });
  ended = background->stop(left()) && ended;
  for (auto& [handle, running] : transfers) running.sources.Reset();
  for (auto& [handle, running] : reads) running.targets.Reset();
  if (ended) {
    // Transfers, reads and probes own this object, and it owns them, by way of their listeners.
    transfers.clear();
    reads.clear();
    probes.clear();
    stagings.clear();
  } else {
    (void)new Holder(shared_from_this());
  }
  promises_.clear();
  queue->release();
}

std::shared_ptr<Store> Environment::find_store(uint32_t handle) const {
  const auto entry = stores.find(handle);
  return entry == stores.end() || entry->second->closing ? nullptr : entry->second;
}

std::shared_ptr<Staging> Environment::find_staging(uint32_t handle) const {
  const auto entry = stagings.find(handle);
  return entry == stagings.end() ? nullptr : entry->second;
}

std::shared_ptr<CudaMemory> Environment::find_cuda(uint32_t handle) const {
  const auto entry = cuda_memories.find(handle);
  return entry == cuda_memories.end() ? nullptr : entry->second;
}

void Environment::end_store(uint32_t handle) {
  const auto entry = stores.find(handle);
  // One that does not end in time stays in the map: its thread still uses it.
  if (entry != stores.end() && entry->second->thread.stop(kIdleThreadLimit)) stores.erase(entry);
}

uint64_t Environment::open_promise(Napi::Env env, Napi::Promise& promise, Napi::Object kept) {
  const uint64_t id = ++last_promise_;
  Pending pending{Napi::Promise::Deferred::New(env), {}};
  if (!kept.IsEmpty()) pending.kept = Napi::Persistent(kept);
  promise = pending.deferred.Promise();
  promises_.emplace(id, std::move(pending));
  queue->hold();
  return id;
}

void Environment::resolve(Napi::Env, uint64_t promise, Napi::Value value) {
  const auto entry = promises_.extract(promise);
  if (entry.empty()) return;
  entry.mapped().deferred.Resolve(value);
  queue->let_go();
}

void Environment::reject(Napi::Env env, uint64_t promise, const Status& status) {
  const auto entry = promises_.extract(promise);
  if (entry.empty()) return;
  entry.mapped().deferred.Reject(to_error(env, status).Value());
  queue->let_go();
}

void Environment::settle(const std::shared_ptr<Environment>& environment, uint64_t promise, Status status, Fill fill) {
  environment->queue->post([environment, promise, result = std::move(status), make = std::move(fill)](Napi::Env env) {
    if (!result.ok()) return environment->reject(env, promise, result);
    environment->resolve(env, promise, make ? make(env) : env.Undefined());
  });
}

}  // namespace snapshard
