#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "device/cuda_lane.h"
#include "device/cuda_memory.h"

namespace snapshard {

// Copies of the device memory that a transfer reads, each on the device of its original: segments one behind the other,
// in the order of the files.
class Snapshot {
 public:
  // `segment` of the layout lies at `from` on the device of this lane. In ascending order of the segments.
  void add(size_t segment, size_t lane, CudaPointer from, uint64_t bytes);

  // On the lane's thread. Another call for another lane may run at the same time.
  Status allocate(size_t lane, int device);
  [[nodiscard]] std::vector<CudaCopy> copies(size_t lane) const;
  [[nodiscard]] CudaPointer address(size_t segment) const;
  // Frees the memory, or gives it away to be freed.
  std::vector<std::shared_ptr<CudaMemory>> release();

 private:
  struct Part {
    size_t segment = 0;
    size_t lane = 0;
    CudaPointer from = 0;
    uint64_t bytes = 0;
    // In the memory of the lane.
    uint64_t offset = 0;
  };
  struct Copy {
    uint64_t bytes = 0;
    std::shared_ptr<CudaMemory> memory;
  };

  std::vector<Part> parts_;
  std::vector<Copy> copies_;
};

}  // namespace snapshard
