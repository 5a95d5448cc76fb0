#include "napi/convert.h"

#include <cstring>

#include "base/counts.h"

namespace snapshard {

namespace {

const char* kind_name(Failure failure) {
  switch (failure) {
    case Failure::kSourceDetached:
      return "source-detached";
    case Failure::kSourceChanged:
      return "source-changed";
    case Failure::kTargetDetached:
      return "target-detached";
    case Failure::kAborted:
      return "aborted";
    case Failure::kClosed:
      return "closed";
    case Failure::kArgument:
      return "argument";
    case Failure::kCudaUnavailable:
      return "cuda-unavailable";
    case Failure::kCuda:
      return "cuda";
    case Failure::kSystem:
    case Failure::kNone:
      break;
  }
  return "system";
}

template <typename Element>
std::span<const Element> view_array(const Napi::Value& value, napi_typedarray_type type, const char* expected) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw_argument(value.Env(), expected);
  }
  void* data = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(value.Env(), value, nullptr, &length, &data, nullptr, nullptr);
  return {static_cast<const Element*>(data), length};
}

template <typename Element>
std::vector<Element> copy_array(const Napi::Value& value, napi_typedarray_type type, const char* expected) {
  const std::span<const Element> elements = view_array<Element>(value, type, expected);
  return {elements.begin(), elements.end()};
}

}  // namespace

Napi::Error to_error(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message());
  error.Set("kind", Napi::String::New(env, kind_name(status.kind())));
  error.Set("errno", Napi::Number::New(env, status.error()));
  error.Set("errnoName", Napi::String::New(env, status.error_name()));
  error.Set("syscall", Napi::String::New(env, status.syscall()));
  error.Set("path", Napi::String::New(env, status.path()));
  return error;
}

void throw_status(Napi::Env env, const Status& status) { throw to_error(env, status); }

void throw_argument(Napi::Env env, const char* expected) {
  throw_status(env, Status::failure(Failure::kArgument, std::string("expected ") + expected));
}

void throw_closed(Napi::Env env, const char* what) {
  throw_status(env, Status::failure(Failure::kClosed, std::string("the ") + what + " is closed"));
}

uint64_t to_bytes(const Napi::Value& value, const char* expected) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!is_safe_count(number)) throw_argument(value.Env(), expected);
  return static_cast<uint64_t>(number);
}

uint32_t to_handle(const Napi::Value& value) {
  const uint64_t handle = to_bytes(value, "a handle");
  if (handle > UINT32_MAX) throw_argument(value.Env(), "a handle");
  return static_cast<uint32_t>(handle);
}

std::string to_text(const Napi::Value& value, const char* expected) {
  if (!value.IsString()) throw_argument(value.Env(), expected);
  std::string text = value.As<Napi::String>().Utf8Value();
  // A path that C would cut short names another file.
  if (text.find('\0') != std::string::npos) throw_argument(value.Env(), expected);
  return text;
}

std::vector<std::string> to_texts(const Napi::Value& value, const char* expected) {
  if (!value.IsArray()) throw_argument(value.Env(), expected);
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < array.Length(); ++i) texts.push_back(to_text(array.Get(i), expected));
  return texts;
}

bool to_flag(const Napi::Value& value, const char* expected) {
  if (!value.IsBoolean()) throw_argument(value.Env(), expected);
  return value.As<Napi::Boolean>().Value();
}

std::vector<uint64_t> to_byte_counts(const Napi::Value& value, const char* expected) {
  const std::span<const double> numbers = view_array<double>(value, napi_float64_array, expected);
  std::vector<uint64_t> counts;
  if (!to_counts(numbers, counts)) throw_argument(value.Env(), expected);
  return counts;
}

std::vector<uint32_t> to_indexes(const Napi::Value& value, const char* expected) {
  return copy_array<uint32_t>(value, napi_uint32_array, expected);
}

std::vector<std::byte> copy_bytes(const Napi::Value& value, const char* expected) {
  return copy_array<std::byte>(value, napi_uint8_array, expected);
}

std::span<const std::byte> view_bytes(const Napi::Value& value, const char* expected) {
  return view_array<std::byte>(value, napi_uint8_array, expected);
}

Napi::Value from_digests(Napi::Env env, const std::vector<Digest>& digests) {
  const size_t bytes = digests.size() * kDigestBytes;
  auto array = Napi::Uint8Array::New(env, bytes);
  if (bytes > 0) std::memcpy(array.Data(), digests.data(), bytes);
  return array;
}

const char* direct_name(Direct direct) {
  switch (direct) {
    case Direct::kYes:
      return "yes";
    case Direct::kNo:
      return "no";
    case Direct::kUnknown:
      break;
  }
  return "unknown";
}

// What is buffered goes through threads, whatever engine carries the direct requests.
const char* engine_name(bool uring, Direct direct) { return uring && direct != Direct::kNo ? "io_uring" : "pwrite"; }

}  // namespace snapshard
