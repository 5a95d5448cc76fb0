// What this process is told about CUDA: must hold the text of the first argument, and be the answer of every call.
#include <cstdio>
#include <cstring>

#include "device/cuda_device.h"
#include "device/cuda_memory.h"

int main(int count, char** arguments) {
  const char* expected = count > 1 ? arguments[1] : "";
  const snapshard::Status probed = snapshard::probe_cuda();
  std::printf("%s\n", probed.message().c_str());
  std::shared_ptr<snapshard::CudaDevice> device;
  std::shared_ptr<snapshard::CudaMemory> memory;
  for (const snapshard::Status& status :
       {probed, snapshard::probe_cuda(), snapshard::CudaDevice::open(0, device),
        snapshard::CudaMemory::at(0, 4096, 1, {}, memory), snapshard::CudaMemory::allocate(0, 1, memory)}) {
    if (status.kind() != snapshard::Failure::kCudaUnavailable) return 1;
    if (status.message().find(expected) == std::string::npos) return 1;
  }
  return 0;
}
