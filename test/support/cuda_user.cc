// What a program that uses a GPU does with the driver by itself: memory, streams, events, and handles for another
// process. For tests; each call makes the primary context of the device current meanwhile.
#include <dlfcn.h>
#include <napi.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace {

void* symbol_of(const Napi::Env& env, const char* symbol) {
  static void* const driver = ::dlopen("libcuda.so.1", RTLD_NOW);
  if (driver == nullptr) throw Napi::Error::New(env, ::dlerror());
  void* const address = ::dlsym(driver, symbol);
  if (address == nullptr) throw Napi::Error::New(env, std::string("the driver has no ") + symbol);
  return address;
}

template <typename... Arguments>
int call(const Napi::Env& env, const char* symbol, Arguments... arguments) {
  return reinterpret_cast<int (*)(Arguments...)>(symbol_of(env, symbol))(arguments...);
}

template <typename... Arguments>
void check(const Napi::Env& env, const char* symbol, Arguments... arguments) {
  const int result = call(env, symbol, arguments...);
  if (result != 0) throw Napi::Error::New(env, std::string(symbol) + " answered " + std::to_string(result));
}

uint64_t word(const Napi::Value& value) {
  bool lossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

void* object(const Napi::Value& value) { return reinterpret_cast<void*>(word(value)); }

Napi::Value to_word(const Napi::Env& env, const void* pointer) {
  return Napi::BigInt::New(env, static_cast<uint64_t>(reinterpret_cast<uintptr_t>(pointer)));
}

void* context_of(const Napi::Env& env, int ordinal) {
  static std::map<int, void*> contexts;
  void*& context = contexts[ordinal];
  if (context != nullptr) return context;
  int device = 0;
  check(env, "cuInit", 0U);
  check(env, "cuDeviceGet", &device, ordinal);
  check(env, "cuDevicePrimaryCtxRetain", &context, device);
  Napi::Env(env).AddCleanupHook([env, device] { (void)call(env, "cuDevicePrimaryCtxRelease_v2", device); });
  return context;
}

// The first argument of each call is the device.
class Scope {
 public:
  explicit Scope(const Napi::CallbackInfo& info) : env_(info.Env()) {
    check(env_, "cuCtxPushCurrent_v2", context_of(env_, info[0].As<Napi::Number>().Int32Value()));
  }
  ~Scope() {
    void* context = nullptr;
    (void)call(env_, "cuCtxPopCurrent_v2", &context);
  }

 private:
  const Napi::Env env_;
};

// What streams still read; a test ends soon.
std::deque<std::vector<char>> written;

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  uint64_t pointer = 0;
  check(info.Env(), "cuMemAlloc_v2", &pointer, static_cast<size_t>(info[1].As<Napi::Number>().Int64Value()));
  return Napi::BigInt::New(info.Env(), pointer);
}

void free_memory(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  check(info.Env(), "cuMemFree_v2", word(info[1]));
}

// device, pointer, bytes, stream: asked for, not waited for.
void write(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  const auto given = info[2].As<Napi::Uint8Array>();
  const auto* first = reinterpret_cast<const char*>(given.Data());
  const auto& bytes = written.emplace_back(first, first + given.ByteLength());
  check(info.Env(), "cuMemcpyHtoDAsync_v2", word(info[1]), static_cast<const void*>(bytes.data()), bytes.size(),
        object(info[3]));
}

// device, pointer, number of bytes, stream: waits for it.
Napi::Value read(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  const auto bytes = static_cast<size_t>(info[2].As<Napi::Number>().Int64Value());
  auto result = Napi::Uint8Array::New(info.Env(), bytes);
  std::vector<char> copy(bytes);
  check(info.Env(), "cuMemcpyDtoHAsync_v2", static_cast<void*>(copy.data()), word(info[1]), bytes, object(info[3]));
  check(info.Env(), "cuStreamSynchronize", object(info[3]));
  std::copy(copy.begin(), copy.end(), result.Data());
  return result;
}

Napi::Value create_stream(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  constexpr unsigned kNonBlocking = 1;
  void* stream = nullptr;
  check(info.Env(), "cuStreamCreate", &stream, kNonBlocking);
  return to_word(info.Env(), stream);
}

void synchronize(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  check(info.Env(), "cuStreamSynchronize", object(info[1]));
  written.clear();
}

void destroy_stream(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  check(info.Env(), "cuStreamDestroy_v2", object(info[1]));
}

Napi::Value create_event(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  constexpr unsigned kDisableTiming = 2;
  void* event = nullptr;
  check(info.Env(), "cuEventCreate", &event, kDisableTiming);
  return to_word(info.Env(), event);
}

void record_event(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  check(info.Env(), "cuEventRecord", object(info[1]), object(info[2]));
}

void destroy_event(const Napi::CallbackInfo& info) {
  const Scope scope(info);
  check(info.Env(), "cuEventDestroy_v2", object(info[1]));
}

// Of the double alone: stream, whether it holds back what waits in it.
void hold_stream(const Napi::CallbackInfo& info) {
  void* const control = symbol_of(info.Env(), "cuda_double_hold_stream");
  reinterpret_cast<void (*)(void*, int)>(control)(object(info[0]), info[1].As<Napi::Boolean>().Value() ? 1 : 0);
}

// Of the double alone: function, which of its next calls fails, and with what.
void fail_next(const Napi::CallbackInfo& info) {
  void* const control = symbol_of(info.Env(), "cuda_double_fail");
  const std::string function = info[0].As<Napi::String>();
  reinterpret_cast<void (*)(const char*, int64_t, int)>(control)(
      function.c_str(), info[1].As<Napi::Number>().Int64Value(), info[2].As<Napi::Number>().Int32Value());
}

// Whether that has come.
Napi::Value has_failed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), call(info.Env(), "cuda_double_failed") != 0);
}

template <Napi::Value (*Call)(const Napi::CallbackInfo&)>
void export_call(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<Call>(exports.Env(), name));
}

template <void (*Call)(const Napi::CallbackInfo&)>
void export_call(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<Call>(exports.Env(), name));
}

Napi::Object initialize(Napi::Env, Napi::Object exports) {
  export_call<allocate>(exports, "allocate");
  export_call<free_memory>(exports, "free");
  export_call<write>(exports, "write");
  export_call<read>(exports, "read");
  export_call<create_stream>(exports, "createStream");
  export_call<destroy_stream>(exports, "destroyStream");
  export_call<synchronize>(exports, "synchronize");
  export_call<create_event>(exports, "createEvent");
  export_call<record_event>(exports, "recordEvent");
  export_call<destroy_event>(exports, "destroyEvent");
  export_call<fail_next>(exports, "failNext");
  export_call<has_failed>(exports, "hasFailed");
  export_call<hold_stream>(exports, "holdStream");
  return exports;
}

}  // namespace

NODE_API_MODULE(cuda_user, initialize)
