#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "device/cuda_device.h"

namespace snapshard {

constexpr size_t kCudaIpcBytes = 64;
using CudaIpcHandle = std::array<std::byte, kCudaIpcBytes>;

class CudaIpcEvent;
class CudaAllocation;

// After what the bytes of device memory may be read or written: the work that `stream` had been given, or that `event`
// had been recorded behind, when the save or read was asked for. Neither: the legacy default stream.
struct CudaOrder {
  enum class Kind : uint8_t { kStream, kEvent, kIpcEvent };
  Kind kind = Kind::kStream;
  CudaHandle handle = 0;
  std::shared_ptr<CudaIpcEvent> ipc_event;

  bool operator==(const CudaOrder&) const = default;
};

// A stretch of device memory. Shared by JavaScript and the jobs that use it: whoever ends last frees what is ours.
struct CudaMemory {
  std::shared_ptr<CudaDevice> device;
  CudaPointer pointer = 0;
  uint64_t bytes = 0;
  CudaOrder order;
  // What keeps the memory there: an allocation of ours, an opened IPC handle; nothing for somebody else's.
  std::shared_ptr<CudaAllocation> allocation;

  // Memory that somebody else frees. The driver says whether it is device memory, of that device, and long enough:
  // kArgument where it is not.
  static Status at(int device, CudaPointer pointer, uint64_t bytes, CudaOrder order,
                   std::shared_ptr<CudaMemory>& memory);
  static Status allocate(int device, uint64_t bytes, std::shared_ptr<CudaMemory>& memory);
  // Memory of another process. A handle is opened once in this process, however often it is named, and closed with the
  // last that uses it; the same for the event. `ready_event` may be nullptr: the legacy default stream then.
  static Status from_ipc(int device, const CudaIpcHandle& handle, uint64_t offset, uint64_t bytes,
                         const CudaIpcHandle* ready_event, std::shared_ptr<CudaMemory>& memory);
  // `bytes` from `offset` on, of the same allocation and order.
  [[nodiscard]] std::shared_ptr<CudaMemory> slice(uint64_t offset, uint64_t bytes) const;
};

}  // namespace snapshard
