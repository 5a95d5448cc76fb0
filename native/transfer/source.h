#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"
#include "device/cuda_memory.h"
#include "memory/lease.h"

namespace snapshard {

// Values of SourceKind in lib/tensor.
enum class SourceKind : uint8_t { kBuffer = 0, kShared = 1, kLease = 2, kPath = 3, kDescriptor = 4, kCuda = 5 };

// Where bytes come from. Memory stays readable (kShared, kLease), may vanish at any moment (kBuffer), or is on a
// device, where no thread can read it (kCuda: `data` is nullptr, `bytes` as in `cuda`).
struct Source {
  SourceKind kind = SourceKind::kBuffer;
  const std::byte* data = nullptr;
  // Of memory sources.
  uint64_t bytes = 0;
  std::shared_ptr<Lease> lease;
  std::shared_ptr<CudaMemory> cuda;
  std::string path;
  UniqueFd fd;

  [[nodiscard]] bool is_stable_memory() const { return kind == SourceKind::kShared || kind == SourceKind::kLease; }
};

// Copies from `kBuffer` sources where the kernel refuses to (MemoryReader::kJavaScriptThread).
class SourceCopier {
 public:
  virtual ~SourceCopier() = default;
  // Called by stager threads; waits for the JavaScript thread.
  virtual Status copy(uint32_t source, uint64_t offset, std::byte* destination, size_t bytes) = 0;
};

// Reads sources for one thread, and keeps the file of the last path open.
class SourceReader {
 public:
  // `index` is the source's place in its transfer, for the copier. The range lies inside a memory source. Not
  // for kCuda.
  Status read(const Source& source, uint32_t index, uint64_t offset, std::byte* destination, size_t bytes,
              SourceCopier& copier);
  // Between transfers: closes the file.
  void forget();

 private:
  Status read_path(const Source& source, uint64_t offset, std::byte* destination, size_t bytes);

  const Source* open_source_ = nullptr;
  UniqueFd open_file_;
};

}  // namespace snapshard
