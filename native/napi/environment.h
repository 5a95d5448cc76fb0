#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/status.h"
#include "base/task_thread.h"
#include "device/cuda_memory.h"
#include "io/directory_thread.h"
#include "memory/lease.h"
#include "napi/js_queue.h"
#include "transfer/engine.h"
#include "transfer/probe.h"
#include "transfer/read.h"
#include "transfer/staging.h"
#include "transfer/transfer.h"

namespace snapshard {

struct Store {
  DirectoryThread thread;
  // JavaScript has closed it; it stays in the map until its thread has ended, or the environment would not end it.
  bool closing = false;
};

// All that belongs to one JavaScript environment. Only its JavaScript thread touches it, except for `queue`, `engine`
// and what the maps point to. JavaScript knows the maps' entries by small integers, which it cannot forge into
// pointers.
class Environment : public std::enable_shared_from_this<Environment> {
 public:
  using Fill = std::function<Napi::Value(Napi::Env)>;

  struct RunningTransfer {
    std::shared_ptr<Transfer> transfer;
    // Keeps the memory of the sources alive.
    Napi::ObjectReference sources;
    uint64_t staged_promise = 0;
    uint64_t durable_promise = 0;
    double cpu_seconds_before = 0;
  };

  struct RunningRead {
    std::shared_ptr<Read> read;
    // Keeps the memory of the targets alive.
    Napi::ObjectReference targets;
    uint64_t promise = 0;
    double cpu_seconds_before = 0;
  };

  struct RunningProbe {
    std::shared_ptr<Probe> probe;
    uint64_t promise = 0;
  };

  // Makes it, and adds the hook that ends it.
  static void attach(Napi::Env env);
  static Environment& of(Napi::Env env);
  explicit Environment(Napi::Env env);

  // A promise that keeps Node alive until it is settled, and `kept` from being collected.
  uint64_t open_promise(Napi::Env env, Napi::Promise& promise, Napi::Object kept = Napi::Object());
  void resolve(Napi::Env env, uint64_t promise, Napi::Value value);
  void reject(Napi::Env env, uint64_t promise, const Status& status);
  // From any thread: rejects where `status` is a failure, else resolves to what `fill` makes on the JavaScript thread.
  static void settle(const std::shared_ptr<Environment>& environment, uint64_t promise, Status status, Fill fill);

  uint32_t next_handle() { return ++last_handle_; }
  // nullptr where it is closed.
  std::shared_ptr<Store> find_store(uint32_t handle) const;
  std::shared_ptr<Staging> find_staging(uint32_t handle) const;
  std::shared_ptr<CudaMemory> find_cuda(uint32_t handle) const;
  // Ends its thread, which has nothing more to do.
  void end_store(uint32_t handle);

  std::shared_ptr<JsQueue> queue;
  std::shared_ptr<Engine> engine;
  // Maps and unmaps pools, and frees device memory: that may mean to wait for the device.
  std::shared_ptr<TaskThread> background;
  std::unordered_map<uint32_t, std::shared_ptr<Store>> stores;
  std::unordered_map<uint32_t, std::shared_ptr<Staging>> stagings;
  std::unordered_map<uint32_t, std::weak_ptr<Lease>> leases;
  std::unordered_map<uint32_t, std::shared_ptr<CudaMemory>> cuda_memories;
  std::unordered_map<uint32_t, RunningTransfer> transfers;
  std::unordered_map<uint32_t, RunningRead> reads;
  std::unordered_map<uint32_t, RunningProbe> probes;

 private:
  struct Pending {
    Napi::Promise::Deferred deferred;
    Napi::ObjectReference kept;
  };

  void shut_down();

  std::unordered_map<uint64_t, Pending> promises_;
  uint64_t last_promise_ = 0;
  uint32_t last_handle_ = 0;
};

}  // namespace snapshard
