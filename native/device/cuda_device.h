#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/status.h"

namespace snapshard {

// Handles and addresses of the CUDA driver, as integers: nothing outside this folder needs its types.
using CudaPointer = uint64_t;
using CudaHandle = uint64_t;

// What of a driver there is: the first call loads `libcuda.so.1` and initializes it, and the answer stays. Failure:
// kCudaUnavailable, saying what is missing and what to do. From any thread.
[[nodiscard]] Status probe_cuda();
// After probe_cuda() was good: 12080 for CUDA 12.8, and how many devices this process sees.
[[nodiscard]] int cuda_driver_version();
[[nodiscard]] int cuda_device_count();

// One GPU, and its primary context, which is the one that PyTorch and the CUDA runtime use too. Retained while any
// object of this process uses it, and released with the last. Any thread may call.
class CudaDevice {
  // Only open() makes one.
  struct Key {};

 public:
  // kArgument for an ordinal that is not there, kCudaUnavailable, or kCuda.
  static Status open(int ordinal, std::shared_ptr<CudaDevice>& device);
  CudaDevice(Key /*key*/, int ordinal) : ordinal_(ordinal) {}
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  [[nodiscard]] int ordinal() const { return ordinal_; }
  // The NUMA node that it is attached to; -1 where the system has only one, or does not tell.
  [[nodiscard]] int numa_node() const;
  // Free bytes of device memory now.
  Status free_bytes(uint64_t& bytes) const;

 private:
  friend class CudaScope;

  const int ordinal_;
  int device_ = 0;
  void* context_ = nullptr;
};

// Makes the device's context current on this thread for as long as it lives, then what was current before is so again.
class CudaScope {
 public:
  // The driver may answer any call with the failure of earlier work: what ends something asks twice.
  enum class For : uint8_t { kWork, kEnd };
  explicit CudaScope(const CudaDevice& device, For purpose = For::kWork);
  ~CudaScope();
  CudaScope(const CudaScope&) = delete;
  CudaScope& operator=(const CudaScope&) = delete;
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  Status status_;
};

// Host memory that the device's bus reaches without a detour, for as long as this lives. Whoever registers memory must
// keep it mapped, and may do so once for all devices.
class CudaPinned {
  // Only create() makes one.
  struct Key {};

 public:
  static Status create(const std::shared_ptr<CudaDevice>& device, std::byte* data, uint64_t bytes,
                       std::unique_ptr<CudaPinned>& pinned);
  CudaPinned(Key /*key*/, std::shared_ptr<CudaDevice> device, std::byte* data)
      : device_(std::move(device)), data_(data) {}
  ~CudaPinned();
  CudaPinned(const CudaPinned&) = delete;
  CudaPinned& operator=(const CudaPinned&) = delete;

 private:
  const std::shared_ptr<CudaDevice> device_;
  std::byte* const data_;
};

}  // namespace snapshard
