#pragma once

#include <napi.h>

#include <span>

#include "napi/environment.h"
#include "transfer/read.h"

namespace snapshard {

struct ParsedRead {
  ReadLayout layout;
  ReadOptions options;
  // What the targets of the layout are the memory of, in their order.
  Napi::Object targets;
};

// Reads a ReadRequest (lib/binding.ts), checking all that memory safety rests on. Throws a NativeError.
ParsedRead parse_read(Environment& environment, Napi::Object request);

// Copies into `ArrayBuffer`s of the list, if they still are as long as needed. JavaScript thread only.
Status copy_to_targets(const Napi::ObjectReference& targets, std::span<const TargetCopy> copies);

// A ReadResult.
Napi::Value from_read(Napi::Env env, const ReadOutcome& outcome, bool uring, double cpu_seconds);

}  // namespace snapshard
