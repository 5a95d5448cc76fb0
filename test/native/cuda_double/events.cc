#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "driver_double.h"

namespace cuda_double {

namespace {

using Needs = Call::Needs;

constexpr std::chrono::milliseconds kLook(1);
constexpr unsigned kDisableTiming = 2;
constexpr unsigned kInterprocess = 4;

Result add_event(void** handle, std::shared_ptr<Event> event) {
  event->context = current_context();
  *handle = event.get();
  ++(event->opened ? state().tally.ipc_events : state().tally.events);
  state().events[event.get()] = std::move(event);
  return kSuccess;
}

}  // namespace

Event::~Event() {
  ::munmap(counters, sizeof(Counters));
  if (file >= 0) ::close(file);
}

std::shared_ptr<Event> find_event(void* handle) {
  const auto found = state().events.find(handle);
  return found != state().events.end() ? found->second : nullptr;
}

CUDA_DOUBLE_API Result cuEventCreate(void** handle, unsigned flags) {
  const Call call("cuEventCreate", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  if ((flags & kInterprocess) != 0 && (flags & kDisableTiming) == 0) return kInvalidValue;
  void* data = nullptr;
  const int file = make_memory_file(sizeof(Counters), data);
  if (file < 0) return kOutOfMemory;
  auto event = std::make_shared<Event>();
  event->counters = static_cast<Counters*>(data);
  event->counters->nonce = (flags & kInterprocess) != 0 ? fresh_nonce() : 0;
  if ((flags & kInterprocess) != 0) {
    event->file = file;
  } else {
    ::close(file);
  }
  return add_event(handle, std::move(event));
}

CUDA_DOUBLE_API Result cuEventDestroy_v2(void* handle) {
  const Call call("cuEventDestroy_v2", Needs::kContext);
  const auto event = find_event(handle);
  if (event == nullptr) {
    misuse("an event destroyed that is not there");
    return call.after(kInvalidHandle);
  }
  --(event->opened ? state().tally.ipc_events : state().tally.events);
  state().events.erase(handle);
  return call.result();
}

CUDA_DOUBLE_API Result cuEventRecord(void* handle, void* stream_handle) {
  const Call call("cuEventRecord", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  const auto stream = find_stream(stream_handle);
  const auto event = find_event(handle);
  if (stream == nullptr || event == nullptr || event->context != stream->context) return kInvalidHandle;
  const uint64_t recorded = ++event->counters->recorded;
  Operation operation;
  operation.act = [event, recorded] { event->counters->reached = recorded; };
  enqueue(stream, std::move(operation));
  return kSuccess;
}

CUDA_DOUBLE_API Result cuEventQuery(void* handle) {
  const Call call("cuEventQuery", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  const auto event = find_event(handle);
  if (event == nullptr) return kInvalidHandle;
  return event->counters->reached >= event->counters->recorded ? kSuccess : kNotReady;
}

CUDA_DOUBLE_API Result cuEventSynchronize(void* handle) {
  Call call("cuEventSynchronize", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  const auto event = find_event(handle);
  if (event == nullptr) return kInvalidHandle;
  const uint64_t recorded = event->counters->recorded;
  while (event->counters->reached < recorded && state().broken == 0) state().changed.wait_for(call.lock, kLook);
  return broken_result(call.lock);
}

CUDA_DOUBLE_API Result cuIpcGetEventHandle(IpcBytes* bytes, void* handle) {
  const Call call("cuIpcGetEventHandle", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  const auto event = find_event(handle);
  if (event == nullptr || event->file < 0) return kInvalidHandle;
  const IpcName name{event->counters->nonce, ::getpid(), event->file, sizeof(Counters), 1};
  std::memset(bytes->bytes, 0, sizeof bytes->bytes);
  std::memcpy(bytes->bytes, &name, sizeof name);
  return kSuccess;
}

CUDA_DOUBLE_API Result cuIpcOpenEventHandle(void** handle, IpcBytes bytes) {
  const Call call("cuIpcOpenEventHandle", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  ++state().tally.ipc_opens;
  IpcName name;
  std::memcpy(&name, bytes.bytes, sizeof name);
  if (name.is_event != 1 || name.bytes != sizeof(Counters)) return kInvalidValue;
  if (name.process == ::getpid()) return kInvalidContext;
  void* data = nullptr;
  const int file = open_memory_file(name, sizeof(Counters), data);
  if (file < 0) return kMapFailed;
  auto event = std::make_shared<Event>();
  event->counters = static_cast<Counters*>(data);
  event->file = file;
  event->opened = true;
  if (event->counters->nonce != name.nonce) return kMapFailed;
  return add_event(handle, std::move(event));
}

}  // namespace cuda_double
