#include <algorithm>
#include <memory>
#include <utility>

#include "device/cuda_memory.h"
#include "memory/own_memory.h"
#include "napi/calls.h"
#include "napi/convert.h"
#include "napi/environment.h"

namespace snapshard {

namespace {

// The default streams have no object of their own: 0 and 1 mean the legacy one, 2 that of the calling thread.
constexpr CudaHandle kDefaultStreamLast = 2;

uint64_t to_word(const Napi::Value& value, const char* expected) {
  bool lossless = false;
  const uint64_t word = value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
  if (!lossless) throw_argument(value.Env(), expected);
  return word;
}

int to_device(const Napi::Value& value) {
  const uint64_t device = to_bytes(value, "a device");
  if (device > INT32_MAX) throw_argument(value.Env(), "a device");
  return static_cast<int>(device);
}

// The driver would follow the handle, wherever it leads.
void check_object(Napi::Env env, CudaHandle handle, const char* expected) {
  std::byte first{};
  const auto* address = reinterpret_cast<const std::byte*>(handle);  // NOLINT(performance-no-int-to-ptr)
  if (handle % alignof(void*) != 0) throw_argument(env, expected);
  if (memory_reader() == MemoryReader::kJavaScriptThread) return;
  if (read_own_memory(&first, address, sizeof first) != 0) throw_argument(env, expected);
}

CudaOrder to_order(const Napi::Object& request) {
  CudaOrder order;
  const Napi::Value stream = request.Get("stream");
  const Napi::Value event = request.Get("event");
  if (!event.IsUndefined()) {
    order.kind = CudaOrder::Kind::kEvent;
    order.handle = to_word(event, "an event, a bigint");
    check_object(request.Env(), order.handle, "the handle of an event of this process");
  } else if (!stream.IsUndefined()) {
    order.handle = to_word(stream, "a stream, a bigint");
    if (order.handle > kDefaultStreamLast) {
      check_object(request.Env(), order.handle, "the handle of a stream of this process");
    }
  }
  return order;
}

CudaIpcHandle to_ipc_handle(const Napi::Value& value) {
  const std::span<const std::byte> bytes = view_bytes(value, "an IPC handle of 64 bytes");
  if (bytes.size() != kCudaIpcBytes) throw_argument(value.Env(), "an IPC handle of 64 bytes");
  CudaIpcHandle handle{};
  std::copy(bytes.begin(), bytes.end(), handle.begin());
  return handle;
}

Napi::Object to_request(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) throw_argument(info.Env(), "a request");
  return info[0].As<Napi::Object>();
}

Napi::Value start(Napi::Env env, const Status& status, std::shared_ptr<CudaMemory> memory) {
  if (!status.ok()) throw_status(env, status);
  Environment& environment = Environment::of(env);
  const uint32_t handle = environment.next_handle();
  Napi::Object result = Napi::Object::New(env);
  result.Set("handle", Napi::Number::New(env, handle));
  result.Set("pointer", Napi::BigInt::New(env, memory->pointer));
  environment.cuda_memories.emplace(handle, std::move(memory));
  return result;
}

Napi::Value cuda_memory_at(const Napi::CallbackInfo& info) {
  const Napi::Object request = to_request(info);
  const int device = to_device(request.Get("device"));
  const CudaPointer pointer = to_word(request.Get("pointer"), "a pointer, a bigint");
  const uint64_t bytes = to_bytes(request.Get("bytes"), "a number of bytes");
  std::shared_ptr<CudaMemory> memory;
  const Status status = CudaMemory::at(device, pointer, bytes, to_order(request), memory);
  return start(info.Env(), status, std::move(memory));
}

Napi::Value cuda_memory_from_ipc(const Napi::CallbackInfo& info) {
  const Napi::Object request = to_request(info);
  const int device = to_device(request.Get("device"));
  const CudaIpcHandle handle = to_ipc_handle(request.Get("handle"));
  const uint64_t offset = to_bytes(request.Get("offset"), "an offset");
  const uint64_t bytes = to_bytes(request.Get("bytes"), "a number of bytes");
  const Napi::Value event = request.Get("readyEvent");
  const CudaIpcHandle event_handle = event.IsUndefined() ? CudaIpcHandle{} : to_ipc_handle(event);
  std::shared_ptr<CudaMemory> memory;
  const Status status =
      CudaMemory::from_ipc(device, handle, offset, bytes, event.IsUndefined() ? nullptr : &event_handle, memory);
  return start(info.Env(), status, std::move(memory));
}

Napi::Value allocate_cuda(const Napi::CallbackInfo& info) {
  const int device = to_device(info[0]);
  std::shared_ptr<CudaMemory> memory;
  const Status status = CudaMemory::allocate(device, to_bytes(info[1], "a number of bytes"), memory);
  return start(info.Env(), status, std::move(memory));
}

Napi::Value release_cuda(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  auto entry = environment.cuda_memories.extract(to_handle(info[0]));
  if (!entry.empty())
    environment.background->post([memory = std::move(entry.mapped())](bool) mutable { memory.reset(); });
  return info.Env().Undefined();
}

}  // namespace

void export_cuda_calls(Napi::Env env, Napi::Object exports) {
  export_call<cuda_memory_at>(env, exports, "cudaMemoryAt");
  export_call<cuda_memory_from_ipc>(env, exports, "cudaMemoryFromIpc");
  export_call<allocate_cuda>(env, exports, "allocateCuda");
  export_call<release_cuda>(env, exports, "releaseCuda");
}

}  // namespace snapshard
