#include "cuda_rig.h"

#include <dlfcn.h>

#include <algorithm>

#include "cuda_driver.h"
#include "rig.h"
#include "test.h"

namespace snapshard::test {

bool has_double() {
  static const bool kIsThere = [] {
    void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    return library != nullptr && ::dlsym(library, "cuda_double_tally") != nullptr && probe_cuda().ok();
  }();
  return kIsThere;
}

void need_double() {
  if (!has_double()) throw Skipped("libcuda.so.1 is not the double of the driver");
}

void with_nothing_lost(void (*body)()) {
  need_double();
  const LeakCheck leaks;
  with_no_descriptor_lost(body);
  leaks.check();
}

std::shared_ptr<CudaMemory> device_memory(int device, size_t bytes) {
  std::shared_ptr<CudaMemory> memory;
  CHECK_OK(CudaMemory::allocate(device, bytes, memory));
  return memory;
}

std::shared_ptr<CudaMemory> device_memory(int device, const std::vector<std::byte>& bytes) {
  std::shared_ptr<CudaMemory> memory = device_memory(device, bytes.size());
  std::copy(bytes.begin(), bytes.end(), bytes_of(*memory));
  return memory;
}

std::byte* bytes_of(const CudaMemory& memory) { return memory.bytes == 0 ? nullptr : device_bytes(memory.pointer); }

CudaOrder after_stream(void* stream) {
  return {CudaOrder::Kind::kStream, reinterpret_cast<CudaHandle>(stream), nullptr};
}

CudaOrder after_event(void* event) { return {CudaOrder::Kind::kEvent, reinterpret_cast<CudaHandle>(event), nullptr}; }

}  // namespace snapshard::test
