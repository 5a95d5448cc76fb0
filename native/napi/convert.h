// Between JavaScript values and native ones. What does not fit throws a NativeError (lib/binding.ts).
#pragma once

#include <napi.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "codec/digest.h"
#include "io/direct_rules.h"

namespace snapshard {

// The one place where a Status becomes a JavaScript error.
Napi::Error to_error(Napi::Env env, const Status& status);
[[noreturn]] void throw_status(Napi::Env env, const Status& status);
[[noreturn]] void throw_argument(Napi::Env env, const char* expected);
[[noreturn]] void throw_closed(Napi::Env env, const char* what);

// Safe integers from 0.
uint64_t to_bytes(const Napi::Value& value, const char* expected);
uint32_t to_handle(const Napi::Value& value);
std::string to_text(const Napi::Value& value, const char* expected);
std::vector<std::string> to_texts(const Napi::Value& value, const char* expected);
bool to_flag(const Napi::Value& value, const char* expected);
std::vector<uint64_t> to_byte_counts(const Napi::Value& value, const char* expected);
std::vector<uint32_t> to_indexes(const Napi::Value& value, const char* expected);
std::vector<std::byte> copy_bytes(const Napi::Value& value, const char* expected);
// The memory of a Uint8Array, for as long as JavaScript leaves it there.
std::span<const std::byte> view_bytes(const Napi::Value& value, const char* expected);

Napi::Value from_digests(Napi::Env env, const std::vector<Digest>& digests);
const char* direct_name(Direct direct);
// Which engine carried the bytes of files that were all, or were not, direct.
const char* engine_name(bool uring, Direct direct);

}  // namespace snapshard
