#include "device/cuda_memory.h"

#include <string>

#include "device/cuda_allocation.h"
#include "device/cuda_functions.h"

namespace snapshard {

namespace {

std::string hex(CudaPointer pointer) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (; pointer != 0 || text.empty(); pointer /= 16) text.insert(text.begin(), kDigits[pointer % 16]);
  return "0x" + text;
}

Status refuse(CudaPointer pointer, const std::string& why) {
  return Status::failure(Failure::kArgument, "CUDA pointer " + hex(pointer) + " " + why);
}

// What the driver does not know is its CUDA_ERROR_INVALID_VALUE; any other error is its own.
bool unknown_to_driver(const Status& status) {
  return static_cast<CudaResult>(status.error()) == CudaResult::kInvalidValue;
}

Status check_place(const CudaDevice& device, CudaPointer pointer) {
  unsigned type = 0;
  Status status = cuda().pointer_attribute(&type, kCudaPointerMemoryType, pointer);
  if (!status.ok() && !unknown_to_driver(status)) return status;
  if (!status.ok() || type != kCudaMemoryTypeDevice) {
    return refuse(pointer, "is not device memory: it is host memory, or has been freed");
  }
  int ordinal = 0;
  status = cuda().pointer_attribute(&ordinal, kCudaPointerDeviceOrdinal, pointer);
  if (!status.ok() || ordinal == device.ordinal()) return status;
  return refuse(pointer,
                "is of device " + std::to_string(ordinal) + ", not of device " + std::to_string(device.ordinal()));
}

// Bytes of device memory from `pointer` on in one piece; 0 where there is none.
Status mapped_bytes(CudaPointer pointer, uint64_t& mapped) {
  CudaPointer start = 0;
  size_t bytes = 0;
  mapped = 0;
  Status status = cuda().address_range(&start, &bytes, pointer);
  if (unknown_to_driver(status) || static_cast<CudaResult>(status.error()) == CudaResult::kNotFound) return {};
  if (status.ok() && pointer >= start && pointer - start < bytes) mapped = bytes - (pointer - start);
  return status;
}

// The range of addresses that the allocator set aside, which may be mapped in several pieces (expandable segments).
uint64_t reserved_bytes(CudaPointer pointer) {
  CudaPointer start = 0;
  size_t bytes = 0;
  if (!cuda().pointer_attribute(&start, kCudaPointerRangeStart, pointer).ok()) return 0;
  if (!cuda().pointer_attribute(&bytes, kCudaPointerRangeBytes, pointer).ok()) return 0;
  return pointer < start || pointer - start >= bytes ? 0 : bytes - (pointer - start);
}

Status check_length(CudaPointer pointer, uint64_t bytes) {
  uint64_t mapped = 0;
  if (Status status = mapped_bytes(pointer, mapped); !status.ok()) return status;
  if (mapped < bytes && reserved_bytes(pointer) >= bytes) {
    uint64_t more = mapped;
    for (; mapped < bytes && more > 0; mapped += more) {
      if (Status status = mapped_bytes(pointer + mapped, more); !status.ok()) return status;
    }
  }
  if (mapped >= bytes) return {};
  return refuse(pointer, "has " + std::to_string(mapped) + " bytes from there on, and " + std::to_string(bytes) +
                             " were asked for");
}

// Where the driver tells no length, its answer to the copies must do.
Status check_opened(CudaPointer start, uint64_t offset, uint64_t bytes) {
  CudaPointer base = 0;
  size_t length = 0;
  if (!cuda().address_range(&base, &length, start).ok()) return {};
  const uint64_t room = length - (start - base);
  if (offset <= room && bytes <= room - offset) return {};
  return Status::failure(Failure::kArgument, "the CUDA IPC handle names " + std::to_string(room) + " bytes, and " +
                                                 std::to_string(bytes) + " from " + std::to_string(offset) +
                                                 " on were asked for");
}

}  // namespace

Status CudaMemory::at(int device, CudaPointer pointer, uint64_t bytes, CudaOrder order,
                      std::shared_ptr<CudaMemory>& memory) {
  auto fresh = std::make_shared<CudaMemory>();
  if (Status status = CudaDevice::open(device, fresh->device); !status.ok()) return status;
  const CudaScope scope(*fresh->device);
  if (!scope.status().ok()) return scope.status();
  // A tensor without elements may have any pointer.
  if (bytes > 0) {
    if (Status status = check_place(*fresh->device, pointer); !status.ok()) return status;
    if (Status status = check_length(pointer, bytes); !status.ok()) return status;
  }
  fresh->pointer = pointer;
  fresh->bytes = bytes;
  fresh->order = std::move(order);
  memory = std::move(fresh);
  return {};
}

Status CudaMemory::allocate(int device, uint64_t bytes, std::shared_ptr<CudaMemory>& memory) {
  auto fresh = std::make_shared<CudaMemory>();
  if (Status status = CudaDevice::open(device, fresh->device); !status.ok()) return status;
  if (bytes > 0) {
    if (Status status = CudaAllocation::allocate(fresh->device, bytes, fresh->allocation); !status.ok()) return status;
    fresh->pointer = fresh->allocation->pointer();
  }
  fresh->bytes = bytes;
  memory = std::move(fresh);
  return {};
}

Status CudaMemory::from_ipc(int device, const CudaIpcHandle& handle, uint64_t offset, uint64_t bytes,
                            const CudaIpcHandle* ready_event, std::shared_ptr<CudaMemory>& memory) {
  auto fresh = std::make_shared<CudaMemory>();
  if (Status status = CudaDevice::open(device, fresh->device); !status.ok()) return status;
  const CudaScope scope(*fresh->device);
  if (!scope.status().ok()) return scope.status();
  if (Status status = CudaAllocation::open(fresh->device, handle, fresh->allocation); !status.ok()) return status;
  if (Status status = check_opened(fresh->allocation->pointer(), offset, bytes); !status.ok()) return status;
  if (ready_event != nullptr) {
    fresh->order.kind = CudaOrder::Kind::kIpcEvent;
    Status status = CudaIpcEvent::open(fresh->device, *ready_event, fresh->order.ipc_event);
    if (!status.ok()) return status;
  }
  fresh->pointer = fresh->allocation->pointer() + offset;
  fresh->bytes = bytes;
  memory = std::move(fresh);
  return {};
}

std::shared_ptr<CudaMemory> CudaMemory::slice(uint64_t offset, uint64_t length) const {
  auto part = std::make_shared<CudaMemory>(*this);
  part->pointer += offset;
  part->bytes = length;
  return part;
}

}  // namespace snapshard
