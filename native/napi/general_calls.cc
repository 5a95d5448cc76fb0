#include <sys/utsname.h>
#include <unistd.h>

#include "codec/digest.h"
#include "device/cuda_device.h"
#include "io/uring.h"
#include "memory/own_memory.h"
#include "napi/calls.h"
#include "napi/convert.h"

namespace snapshard {

namespace {

Napi::Value feature(Napi::Env env, const Status& status) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("available", Napi::Boolean::New(env, status.ok()));
  object.Set("reason", Napi::String::New(env, status.ok() ? "" : describe_uring_failure(status)));
  return object;
}

std::string version_text(int version) {
  constexpr int kMajor = 1000;
  constexpr int kMinor = 10;
  return std::to_string(version / kMajor) + "." + std::to_string(version % kMajor / kMinor);
}

Napi::Value cuda_feature(Napi::Env env) {
  const Status status = probe_cuda();
  Napi::Object object = Napi::Object::New(env);
  object.Set("available", Napi::Boolean::New(env, status.ok()));
  object.Set("reason", Napi::String::New(env, status.ok() ? "" : status.message()));
  object.Set("driverVersion", Napi::String::New(env, status.ok() ? version_text(cuda_driver_version()) : ""));
  object.Set("devices", Napi::Number::New(env, status.ok() ? cuda_device_count() : 0));
  return object;
}

const char* reader_name() {
  switch (memory_reader()) {
    case MemoryReader::kProcessVmReadv:
      return "process_vm_readv";
    case MemoryReader::kProcSelfMem:
      return "/proc/self/mem";
    case MemoryReader::kJavaScriptThread:
      break;
  }
  return "javascript-thread";
}

Napi::Value capabilities(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  utsname system{};
  ::uname(&system);
  Napi::Object object = Napi::Object::New(env);
  object.Set("ioUring", feature(env, probe_uring()));
  object.Set("cuda", cuda_feature(env));
  object.Set("memoryReader", Napi::String::New(env, reader_name()));
  object.Set("hash", Napi::String::New(env, hash_vector_unit()));
  object.Set("kernel", Napi::String::New(env, system.release));
  object.Set("pageBytes", Napi::Number::New(env, static_cast<double>(::sysconf(_SC_PAGESIZE))));
  return object;
}

Napi::Value digest(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw_argument(info.Env(), "a Uint8Array");
  }
  const auto bytes = info[0].As<Napi::Uint8Array>();
  return Napi::String::New(info.Env(), to_hex(digest_of(bytes.Data(), bytes.ByteLength())));
}

}  // namespace

void export_general_calls(Napi::Env env, Napi::Object exports) {
  exports.Set("napiVersion", Napi::Number::New(env, NAPI_VERSION));
  export_call<capabilities>(env, exports, "capabilities");
  export_call<digest>(env, exports, "digest");
}

}  // namespace snapshard
