#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/status.h"
#include "memory/lease.h"
#include "transfer/source.h"

namespace snapshard {

// Where bytes go: memory that stays (kShared, kLease), that JavaScript may take away at any moment (kBuffer), or that
// is on a device (kCuda: `data` is nullptr, `bytes` as in `cuda`).
struct Target {
  SourceKind kind = SourceKind::kBuffer;
  std::byte* data = nullptr;
  uint64_t bytes = 0;
  std::shared_ptr<Lease> lease;
  std::shared_ptr<CudaMemory> cuda;

  [[nodiscard]] bool is_stable_memory() const { return kind == SourceKind::kShared || kind == SourceKind::kLease; }
};

// One stretch of bytes on its way into a target.
struct TargetCopy {
  const std::byte* from = nullptr;
  size_t bytes = 0;
  uint32_t target = 0;
  uint64_t to = 0;
};

// Copies into `kBuffer` targets, on the JavaScript thread: only there is it certain that the memory is still theirs. A
// write through the kernel would answer EFAULT where it is unmapped, but memory that was detached and freed may have
// been handed out again, and then the write would land in somebody else's.
class TargetCopier {
 public:
  virtual ~TargetCopier() = default;
  // Called by stager threads; waits for the JavaScript thread.
  virtual Status copy(std::span<const TargetCopy> copies) = 0;
};

}  // namespace snapshard
