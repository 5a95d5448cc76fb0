#include <cstdio>

#include "driver_double.h"

namespace cuda_double {

namespace {

using Needs = Call::Needs;

std::vector<Context*>& context_stack() {
  static thread_local std::vector<Context*> stack;
  return stack;
}

Context* context_of(int device) {
  const auto& contexts = state().contexts;
  return device >= 0 && static_cast<size_t>(device) < contexts.size() ? contexts[static_cast<size_t>(device)].get()
                                                                      : nullptr;
}

struct Text {
  int error;
  const char* name;
  const char* text;
};

constexpr Text kTexts[] = {
    {kInvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {kNoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {kMapFailed, "CUDA_ERROR_MAP_FAILED", "mapping of buffer object failed"},
    {kAlreadyMapped, "CUDA_ERROR_ALREADY_MAPPED", "resource already mapped"},
    {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {kNotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {kNotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {kContextIsDestroyed, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {kAlreadyRegistered, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
     "part or all of the requested memory range is already mapped"},
    {kNotRegistered, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
     "pointer does not correspond to a registered memory region"},
    {kNotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

Result find_text(int error, const char** found, const char* Text::*field) {
  *found = nullptr;
  for (const Text& text : kTexts) {
    if (text.error == error) *found = text.*field;
  }
  return *found != nullptr ? kSuccess : kInvalidValue;
}

}  // namespace

Context* current_context() { return context_stack().empty() ? nullptr : context_stack().back(); }

CUDA_DOUBLE_API Result cuGetErrorName(int error, const char** name) { return find_text(error, name, &Text::name); }
CUDA_DOUBLE_API Result cuGetErrorString(int error, const char** text) { return find_text(error, text, &Text::text); }

CUDA_DOUBLE_API Result cuDriverGetVersion(int* version) {
  const Call call("cuDriverGetVersion", Needs::kNothing);
  *version = state().driver_version;
  return call.result();
}

CUDA_DOUBLE_API Result cuInit(unsigned /*flags*/) {
  const Call call("cuInit", Needs::kNothing);
  if (call.result() != kSuccess) return call.result();
  if (state().contexts.empty()) return kNoDevice;
  state().initialized = true;
  return kSuccess;
}

CUDA_DOUBLE_API Result cuDeviceGetCount(int* count) {
  const Call call("cuDeviceGetCount", Needs::kInit);
  *count = static_cast<int>(state().contexts.size());
  return call.result();
}

CUDA_DOUBLE_API Result cuDeviceGet(int* device, int ordinal) {
  const Call call("cuDeviceGet", Needs::kInit);
  *device = ordinal;
  return call.after(context_of(ordinal) != nullptr ? kSuccess : kInvalidDevice);
}

CUDA_DOUBLE_API Result cuDeviceGetAttribute(int* value, int attribute, int device) {
  const Call call("cuDeviceGetAttribute", Needs::kInit);
  *value = 0;
  constexpr int kHostNumaId = 134;
  return call.after(context_of(device) != nullptr && attribute == kHostNumaId ? kSuccess : kInvalidValue);
}

CUDA_DOUBLE_API Result cuDeviceGetPCIBusId(char* text, int length, int device) {
  const Call call("cuDeviceGetPCIBusId", Needs::kInit);
  std::snprintf(text, static_cast<size_t>(length), "FFFF:%02X:00.0", static_cast<unsigned>(device) & 0xFF);
  return call.result();
}

CUDA_DOUBLE_API Result cuDevicePrimaryCtxRetain(void** context, int device) {
  const Call call("cuDevicePrimaryCtxRetain", Needs::kInit);
  if (call.result() != kSuccess) return call.result();
  Context* const found = context_of(device);
  if (found == nullptr) return kInvalidDevice;
  if (found->legacy == nullptr) {
    found->legacy = std::make_shared<Stream>();
    found->legacy->context = found;
    start_stream(found->legacy);
  }
  ++found->retained;
  ++state().tally.contexts;
  *context = found;
  return kSuccess;
}

CUDA_DOUBLE_API Result cuDevicePrimaryCtxRelease_v2(int device) {
  const Call call("cuDevicePrimaryCtxRelease_v2", Needs::kInit);
  Context* const found = context_of(device);
  if (found == nullptr || found->retained == 0) {
    misuse("a primary context released that was not retained");
    return call.after(kInvalidContext);
  }
  --found->retained;
  --state().tally.contexts;
  return call.result();
}

CUDA_DOUBLE_API Result cuCtxPushCurrent_v2(void* context) {
  const Call call("cuCtxPushCurrent_v2", Needs::kInit);
  if (call.result() != kSuccess) return call.result();
  auto* const pushed = static_cast<Context*>(context);
  if (pushed == nullptr || pushed->retained == 0) {
    misuse("a context made current that is not retained");
    return kInvalidContext;
  }
  context_stack().push_back(pushed);
  return kSuccess;
}

CUDA_DOUBLE_API Result cuCtxPopCurrent_v2(void** context) {
  const Call call("cuCtxPopCurrent_v2", Needs::kInit);
  if (context_stack().empty()) {
    misuse("a context taken away where none is current");
    return call.after(kInvalidContext);
  }
  *context = context_stack().back();
  context_stack().pop_back();
  return call.result();
}

CUDA_DOUBLE_API Result cuCtxGetCurrent(void** context) {
  const Call call("cuCtxGetCurrent", Needs::kInit);
  *context = current_context();
  return call.result();
}

}  // namespace cuda_double
