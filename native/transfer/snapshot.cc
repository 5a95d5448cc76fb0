#include "transfer/snapshot.h"

#include <algorithm>
#include <utility>

namespace snapshard {

void Snapshot::add(size_t segment, size_t lane, CudaPointer from, uint64_t bytes) {
  if (lane >= copies_.size()) copies_.resize(lane + 1);
  parts_.push_back({segment, lane, from, bytes, copies_[lane].bytes});
  copies_[lane].bytes += bytes;
}

Status Snapshot::allocate(size_t lane, int device) {
  if (lane >= copies_.size()) return {};
  return CudaMemory::allocate(device, copies_[lane].bytes, copies_[lane].memory);
}

std::vector<CudaCopy> Snapshot::copies(size_t lane) const {
  std::vector<CudaCopy> copies;
  for (const Part& part : parts_) {
    if (part.lane == lane) copies.push_back({copies_[lane].memory->pointer + part.offset, part.from, part.bytes});
  }
  return copies;
}

CudaPointer Snapshot::address(size_t segment) const {
  const auto part = std::lower_bound(parts_.begin(), parts_.end(), segment,
                                     [](const Part& one, size_t wanted) { return one.segment < wanted; });
  return copies_[part->lane].memory->pointer + part->offset;
}

std::vector<std::shared_ptr<CudaMemory>> Snapshot::release() {
  std::vector<std::shared_ptr<CudaMemory>> released;
  for (Copy& copy : copies_) released.push_back(std::move(copy.memory));
  return released;
}

}  // namespace snapshard
