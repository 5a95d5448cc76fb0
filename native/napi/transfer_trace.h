#pragma once

#include <napi.h>

#include "transfer/trace.h"

namespace snapshard {

// A TransferTrace (lib/binding.ts).
Napi::Value from_trace(Napi::Env env, const Trace& trace);

}  // namespace snapshard
