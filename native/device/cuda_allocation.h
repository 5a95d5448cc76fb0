// What keeps device memory and events there, for this folder alone.
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "device/cuda_device.h"
#include "device/cuda_memory.h"

namespace snapshard {

// Device memory that is ours to end: allocated here, or another process's, opened here.
class CudaAllocation {
  // Only the functions below make one.
  struct Key {};

 public:
  CudaAllocation(Key /*key*/, std::shared_ptr<CudaDevice> device, bool opened)
      : device_(std::move(device)), opened_(opened) {}
  ~CudaAllocation();
  CudaAllocation(const CudaAllocation&) = delete;
  CudaAllocation& operator=(const CudaAllocation&) = delete;

  static Status allocate(const std::shared_ptr<CudaDevice>& device, uint64_t bytes,
                         std::shared_ptr<CudaAllocation>& allocation);
  static Status open(const std::shared_ptr<CudaDevice>& device, const CudaIpcHandle& handle,
                     std::shared_ptr<CudaAllocation>& allocation);

  [[nodiscard]] CudaPointer pointer() const { return pointer_; }

 private:
  const std::shared_ptr<CudaDevice> device_;
  const bool opened_;
  CudaPointer pointer_ = 0;
};

// An event of another process.
class CudaIpcEvent {
  // Only open() makes one.
  struct Key {};

 public:
  CudaIpcEvent(Key /*key*/, std::shared_ptr<CudaDevice> device) : device_(std::move(device)) {}
  ~CudaIpcEvent();
  CudaIpcEvent(const CudaIpcEvent&) = delete;
  CudaIpcEvent& operator=(const CudaIpcEvent&) = delete;

  static Status open(const std::shared_ptr<CudaDevice>& device, const CudaIpcHandle& handle,
                     std::shared_ptr<CudaIpcEvent>& event);

  [[nodiscard]] void* event() const { return event_; }

 private:
  const std::shared_ptr<CudaDevice> device_;
  void* event_ = nullptr;
};

}  // namespace snapshard
