#include "napi/memory.h"

#include "napi/convert.h"

namespace snapshard {

namespace {

Memory buffer_memory(Napi::Env env, napi_value value) {
  void* data = nullptr;
  size_t bytes = 0;
  if (napi_get_arraybuffer_info(env, value, &data, &bytes) != napi_ok) throw_argument(env, "an ArrayBuffer");
  return {static_cast<std::byte*>(data), bytes, nullptr, nullptr};
}

Memory shared_memory(Napi::Env env, napi_value value) {
  napi_typedarray_type type{};
  void* data = nullptr;
  size_t bytes = 0;
  napi_value buffer = nullptr;
  bool detachable = true;
  const bool read = napi_get_typedarray_info(env, value, &type, &bytes, &data, &buffer, nullptr) == napi_ok &&
                    napi_is_arraybuffer(env, buffer, &detachable) == napi_ok;
  // Memory that JavaScript can pull away must never be touched directly.
  if (!read || type != napi_uint8_array || detachable) throw_argument(env, "a Uint8Array over a SharedArrayBuffer");
  return {static_cast<std::byte*>(data), bytes, nullptr, nullptr};
}

Memory lease_memory(Environment& environment, const Napi::Value& value) {
  const auto entry = environment.leases.find(to_handle(value));
  auto lease = entry != environment.leases.end() ? entry->second.lock() : nullptr;
  if (lease == nullptr) throw_closed(value.Env(), "lease");
  return {lease->memory.data(), lease->memory.bytes(), lease, nullptr};
}

Memory cuda_memory(Environment& environment, const Napi::Value& value) {
  auto cuda = environment.find_cuda(to_handle(value));
  if (cuda == nullptr) throw_closed(value.Env(), "device memory");
  return {nullptr, cuda->bytes, nullptr, cuda};
}

}  // namespace

bool is_memory(SourceKind kind) {
  return kind == SourceKind::kBuffer || kind == SourceKind::kShared || kind == SourceKind::kLease ||
         kind == SourceKind::kCuda;
}

Memory to_memory(Environment& environment, Napi::Env env, napi_value value, SourceKind kind) {
  if (kind == SourceKind::kBuffer) return buffer_memory(env, value);
  if (kind == SourceKind::kShared) return shared_memory(env, value);
  if (kind == SourceKind::kLease) return lease_memory(environment, Napi::Value(env, value));
  return cuda_memory(environment, Napi::Value(env, value));
}

}  // namespace snapshard
