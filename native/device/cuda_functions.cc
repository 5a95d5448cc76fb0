#include "device/cuda_functions.h"

#include <dlfcn.h>

#include <memory>
#include <string>

#include "device/cuda_device.h"

namespace snapshard {

namespace {

constexpr const char* kLibrary = "libcuda.so.1";
constexpr int kOldestVersion = 11000;

struct Driver {
  CudaFunctions functions;
  Status status;
  int version = 0;
  int device_count = 0;
};

Status unavailable(const std::string& what) { return Status::failure(Failure::kCudaUnavailable, what); }

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

template <typename... Arguments>
void load(void* library, CudaFunction<Arguments...>& function) {
  void* address = ::dlsym(library, function.symbol);
  function.address = reinterpret_cast<CudaResult (*)(Arguments...)>(address);
}

// The first symbol that is missing, or nullptr.
template <typename... Functions>
const char* load_all(void* library, Functions&... functions) {
  const char* missing = nullptr;
  const auto load_one = [&](auto& function) {
    load(library, function);
    if (!function && missing == nullptr) missing = function.symbol;
  };
  (load_one(functions), ...);
  return missing;
}

const char* load_table(void* library, CudaFunctions& table) {
  load_all(library, table.copy_batch, table.copy_batch_first);
  return load_all(library, table.error_name, table.error_text, table.driver_version, table.init, table.device_count,
                  table.device, table.device_attribute, table.device_bus_id, table.context_retain,
                  table.context_release, table.context_push, table.context_pop, table.memory_info, table.allocate,
                  table.free, table.pointer_attribute, table.address_range, table.host_register, table.host_unregister,
                  table.copy_to_host, table.copy_to_device, table.copy_within_device, table.stream_create,
                  table.stream_destroy, table.stream_wait_event, table.stream_synchronize, table.event_create,
                  table.event_destroy, table.event_record, table.event_synchronize, table.ipc_open_memory,
                  table.ipc_close_memory, table.ipc_open_event);
}

std::string text_of(const CudaFunctions& table, CudaResult result) {
  const char* text = nullptr;
  if (table.error_text.address(result, &text) != CudaResult::kSuccess || text == nullptr) return "unknown error";
  return text;
}

Status check_version(Driver& driver) {
  const CudaResult result = driver.functions.driver_version.address(&driver.version);
  if (result != CudaResult::kSuccess) {
    return unavailable("cuDriverGetVersion: " + text_of(driver.functions, result) +
                       ": reinstall the NVIDIA driver, or make it visible to this container");
  }
  if (driver.version >= kOldestVersion) return {};
  return unavailable("the NVIDIA driver knows CUDA " + version_text(driver.version) + ", and " +
                     version_text(kOldestVersion) + " is needed: update the driver");
}

Status initialize(Driver& driver) {
  const CudaResult result = driver.functions.init.address(0);
  if (result == CudaResult::kNoDevice) {
    return unavailable("cuInit: " + text_of(driver.functions, result) +
                       ": look at nvidia-smi, CUDA_VISIBLE_DEVICES and the devices given to this container");
  }
  if (result != CudaResult::kSuccess) {
    return unavailable("cuInit: " + text_of(driver.functions, result) +
                       ": look at nvidia-smi; kernel module and library of the driver must be of one version");
  }
  const CudaResult counted = driver.functions.device_count.address(&driver.device_count);
  if (counted != CudaResult::kSuccess) return unavailable("cuDeviceGetCount: " + text_of(driver.functions, counted));
  if (driver.device_count > 0) return {};
  return unavailable("the NVIDIA driver shows this process no device: look at CUDA_VISIBLE_DEVICES");
}

Status start(Driver& driver) {
  void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    return unavailable(std::string(kLibrary) +
                       " cannot be loaded: " + (reason != nullptr ? reason : "no reason given") +
                       ": install the NVIDIA driver, or give this container a GPU");
  }
  const char* missing = load_table(library, driver.functions);
  if (missing != nullptr) {
    return unavailable(std::string(kLibrary) + " has no " + missing + ": update the NVIDIA driver to CUDA " +
                       version_text(kOldestVersion) + " or newer");
  }
  const Status version = check_version(driver);
  return version.ok() ? initialize(driver) : version;
}

// Never freed: a thread that a device holds up may come back at any time.
const Driver& driver() {
  static const Driver* const kLoaded = [] {
    auto fresh = std::make_unique<Driver>();
    fresh->status = start(*fresh);
    return fresh.release();
  }();
  return *kLoaded;
}

}  // namespace

Status probe_cuda() { return driver().status; }
int cuda_driver_version() { return driver().version; }
int cuda_device_count() { return driver().device_count; }

const CudaFunctions& cuda() { return driver().functions; }

Status cuda_status(CudaResult result, const char* call) {
  if (result == CudaResult::kSuccess) return {};
  const int error = static_cast<int>(result);
  const char* name = nullptr;
  const bool known = cuda().error_name.address(result, &name) == CudaResult::kSuccess && name != nullptr;
  return Status::cuda(error, known ? name : "CUDA_ERROR_" + std::to_string(error), call, text_of(cuda(), result));
}

}  // namespace snapshard
