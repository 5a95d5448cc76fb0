// The functions that JavaScript sees; lib/binding.ts says what each does.
#pragma once

#include <napi.h>

namespace snapshard {

void export_general_calls(Napi::Env env, Napi::Object exports);
void export_store_calls(Napi::Env env, Napi::Object exports);
void export_staging_calls(Napi::Env env, Napi::Object exports);
void export_lease_calls(Napi::Env env, Napi::Object exports);
void export_cuda_calls(Napi::Env env, Napi::Object exports);
void export_transfer_calls(Napi::Env env, Napi::Object exports);
void export_read_calls(Napi::Env env, Napi::Object exports);
void export_probe_calls(Napi::Env env, Napi::Object exports);

template <Napi::Value (*Call)(const Napi::CallbackInfo&)>
void export_call(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<Call>(env, name));
}

}  // namespace snapshard
