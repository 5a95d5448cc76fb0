#include <memory>
#include <utility>

#include "napi/calls.h"
#include "napi/convert.h"
#include "napi/environment.h"

namespace snapshard {

namespace {

// What the ArrayBuffer of a lease holds. Its finalizer may run after the environment has ended.
struct LeaseHold {
  std::shared_ptr<Lease> lease;
  std::weak_ptr<Environment> environment;
  uint32_t handle;
  // Where the ArrayBuffer could not be made, Node.js may have run the finalizer all the same, or not.
  bool* finalized = nullptr;
};

Napi::Value allocate_lease(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint64_t bytes = to_bytes(info[0], "a number of bytes");
  Environment& environment = Environment::of(env);
  auto lease = std::make_shared<Lease>();
  const Status status = Mapping::create(bytes, lease->memory);
  if (!status.ok()) throw_status(env, status);
  const uint32_t handle = environment.next_handle();
  bool finalized = false;
  auto* hold = new LeaseHold{lease, environment.weak_from_this(), handle, &finalized};
  napi_value buffer = nullptr;
  const napi_status made = napi_create_external_arraybuffer(
      env, lease->memory.data(), bytes,
      [](napi_env, void*, void* hint) {
        const std::unique_ptr<LeaseHold> ending(static_cast<LeaseHold*>(hint));
        if (ending->finalized != nullptr) *ending->finalized = true;
        if (const auto owner = ending->environment.lock()) owner->leases.erase(ending->handle);
      },
      hold, &buffer);
  if (made != napi_ok) {
    if (!finalized) delete hold;
    throw_argument(env, "a length that one ArrayBuffer can have");
  }
  hold->finalized = nullptr;
  environment.leases.emplace(handle, lease);
  Napi::Object result = Napi::Object::New(env);
  result.Set("handle", Napi::Number::New(env, handle));
  result.Set("buffer", Napi::Value(env, buffer));
  return result;
}

Napi::Value dispose_lease(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).leases.erase(to_handle(info[0]));
  if (!info[1].IsArrayBuffer()) throw_argument(info.Env(), "the ArrayBuffer of a lease");
  const auto buffer = info[1].As<Napi::ArrayBuffer>();
  if (!buffer.IsDetached()) napi_detach_arraybuffer(info.Env(), buffer);
  return info.Env().Undefined();
}

}  // namespace

void export_lease_calls(Napi::Env env, Napi::Object exports) {
  export_call<allocate_lease>(env, exports, "allocateLease");
  export_call<dispose_lease>(env, exports, "disposeLease");
}

}  // namespace snapshard
