// The driver double as tests see it: what it is asked for beside the driver's functions, and a trainer's side of it.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "cuda_double/control.h"
#include "device/cuda_device.h"
#include "test.h"

namespace snapshard::test {

struct IpcBytes {
  char bytes[64];
};

// A function of libcuda.so.1, by its symbol.
template <typename Result, typename... Arguments>
auto driver_function(const char* symbol) {
  static void* const library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  void* address = library != nullptr ? ::dlsym(library, symbol) : nullptr;
  if (address == nullptr) throw Failed(std::string("no ") + symbol + ": is this the driver double?");
  return reinterpret_cast<Result (*)(Arguments...)>(address);
}

template <typename... Arguments>
void call_driver(const char* symbol, Arguments... arguments) {
  const int result = driver_function<int, Arguments...>(symbol)(arguments...);
  if (result != 0) throw Failed(std::string(symbol) + " answers " + std::to_string(result));
}

inline cuda_double::Tally tally() {
  cuda_double::Tally now{};
  driver_function<void, cuda_double::Tally*>("cuda_double_tally")(&now);
  return now;
}

inline void fail_driver(const char* function, int64_t nth, int error) {
  driver_function<void, const char*, int64_t, int>("cuda_double_fail")(function, nth, error);
}

inline void break_driver(int error) { driver_function<void, int>("cuda_double_break")(error); }
inline void hang_driver(bool hangs) { driver_function<void, int>("cuda_double_hang")(hangs ? 1 : 0); }

inline std::byte* device_bytes(uint64_t pointer) {
  return static_cast<std::byte*>(driver_function<void*, uint64_t>("cuda_double_bytes")(pointer));
}

// What else in the process uses the device: its context, retained and current as long as this lives.
class Trainer {
 public:
  explicit Trainer(int device = 0) : device_(device) {
    call_driver("cuInit", 0U);
    call_driver("cuDevicePrimaryCtxRetain", &context_, device_);
    call_driver("cuCtxPushCurrent_v2", context_);
  }
  ~Trainer() {
    for (const uint64_t pointer : pointers_) driver_function<int, uint64_t>("cuMemFree_v2")(pointer);
    for (void* event : events_) driver_function<int, void*>("cuEventDestroy_v2")(event);
    for (void* stream : streams_) driver_function<int, void*>("cuStreamDestroy_v2")(stream);
    void* popped = nullptr;
    driver_function<int, void**>("cuCtxPopCurrent_v2")(&popped);
    driver_function<int, int>("cuDevicePrimaryCtxRelease_v2")(device_);
  }
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  [[nodiscard]] void* context() const { return context_; }

  uint64_t allocate(size_t bytes) {
    uint64_t pointer = 0;
    call_driver("cuMemAlloc_v2", &pointer, bytes);
    pointers_.push_back(pointer);
    return pointer;
  }
  void free(uint64_t pointer) {
    call_driver("cuMemFree_v2", pointer);
    std::erase(pointers_, pointer);
  }
  void* stream(unsigned flags = 1) {
    streams_.emplace_back();
    call_driver("cuStreamCreate", &streams_.back(), flags);
    return streams_.back();
  }
  void* event(unsigned flags = 2) {
    events_.emplace_back();
    call_driver("cuEventCreate", &events_.back(), flags);
    return events_.back();
  }
  void record(void* event, void* stream) { call_driver("cuEventRecord", event, stream); }
  void hold(void* stream, bool holds) {
    driver_function<void, void*, int>("cuda_double_hold_stream")(stream, holds ? 1 : 0);
  }
  // Asks for a copy of `bytes`, which must stay until it has been made.
  void write(uint64_t pointer, const std::vector<std::byte>& bytes, void* stream) {
    call_driver("cuMemcpyHtoDAsync_v2", pointer, static_cast<const void*>(bytes.data()), bytes.size(), stream);
  }

 private:
  const int device_;
  void* context_ = nullptr;
  std::vector<uint64_t> pointers_;
  std::vector<void*> streams_;
  std::vector<void*> events_;
};

// Nothing of the driver's is left, and nothing was done wrongly, since this was made.
class LeakCheck {
 public:
  LeakCheck() : before_(tally()) {}
  void check() const {
    const cuda_double::Tally now = tally();
    CHECK_EQUAL(now.contexts, before_.contexts);
    CHECK_EQUAL(now.allocations, before_.allocations);
    CHECK_EQUAL(now.streams, before_.streams);
    CHECK_EQUAL(now.events, before_.events);
    CHECK_EQUAL(now.ipc_memories, before_.ipc_memories);
    CHECK_EQUAL(now.ipc_events, before_.ipc_events);
    CHECK_EQUAL(now.registrations, before_.registrations);
    CHECK_EQUAL(now.misuses, before_.misuses);
  }

 private:
  const cuda_double::Tally before_;
};

}  // namespace snapshard::test
