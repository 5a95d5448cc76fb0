#pragma once

#include <napi.h>

#include <vector>

#include "napi/environment.h"
#include "transfer/layout.h"
#include "transfer/source.h"
#include "transfer/transfer.h"

namespace snapshard {

struct ParsedRequest {
  Layout layout;
  std::vector<Source> sources;
  TransferOptions options;
};

// Reads a TransferRequest (lib/binding.ts), checking all that memory safety rests on. Throws a NativeError.
ParsedRequest parse_request(Environment& environment, Napi::Object request, uint64_t block_bytes);

// Copies from one `ArrayBuffer` of the list, if it still is as long as needed. JavaScript thread only.
Status copy_source(const Napi::ObjectReference& sources, uint32_t index, uint64_t offset, std::byte* destination,
                   size_t bytes);

// A TransferResult.
Napi::Value from_outcome(Napi::Env env, const TransferOutcome& outcome, bool uring, double cpu_seconds);

}  // namespace snapshard
