// Device memory for the tests of transfers and reads, by the double of the driver.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "device/cuda_memory.h"

namespace snapshard::test {

// Whether the double is what `libcuda.so.1` leads to.
bool has_double();
// Throws Skipped where it is not.
void need_double();
// Runs the body beside the double; nothing of the driver's and no descriptor is left behind.
void with_nothing_lost(void (*body)());

std::shared_ptr<CudaMemory> device_memory(int device, size_t bytes);
std::shared_ptr<CudaMemory> device_memory(int device, const std::vector<std::byte>& bytes);
// Where the CPU finds them; nullptr where there are none.
std::byte* bytes_of(const CudaMemory& memory);

CudaOrder after_stream(void* stream);
CudaOrder after_event(void* event);

}  // namespace snapshard::test
