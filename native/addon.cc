#include <napi.h>

#include "napi/calls.h"
#include "napi/environment.h"

namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  snapshard::Environment::attach(env);
  snapshard::export_general_calls(env, exports);
  snapshard::export_store_calls(env, exports);
  snapshard::export_staging_calls(env, exports);
  snapshard::export_lease_calls(env, exports);
  snapshard::export_cuda_calls(env, exports);
  snapshard::export_transfer_calls(env, exports);
  snapshard::export_read_calls(env, exports);
  snapshard::export_probe_calls(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(snapshard, initialize)
