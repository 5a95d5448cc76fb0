#pragma once

#include <napi.h>

#include <memory>

#include "napi/environment.h"
#include "transfer/source.h"

namespace snapshard {

// Memory that JavaScript hands in, as a source or as a target.
struct Memory {
  std::byte* data = nullptr;
  uint64_t bytes = 0;
  std::shared_ptr<Lease> lease;
  std::shared_ptr<CudaMemory> cuda;
};

bool is_memory(SourceKind kind);
// `kind` is that of memory: kBuffer, kShared, kLease or kCuda; each has its own form (lib/binding.ts). Throws a
// NativeError.
Memory to_memory(Environment& environment, Napi::Env env, napi_value value, SourceKind kind);

}  // namespace snapshard
