#include "memory/block_pool.h"

#include "base/sanitizers.h"

namespace snapshard {

Status BlockPool::create(uint64_t total_bytes, uint64_t block_bytes, BlockPool& pool) {
  Status status = Mapping::create(total_bytes, pool.memory_);
  if (!status.ok()) return status;
  pool.block_bytes_ = block_bytes;
  const size_t count = total_bytes / block_bytes;
  pool.free_.reserve(count);
  // The last block comes first off the list's end: hand out from the start of the mapping.
  for (size_t i = count; i-- > 0;) pool.free_.push_back(pool.memory_.data() + i * block_bytes);
  return {};
}

BlockPool::~BlockPool() {
  for (std::byte* block : free_) memory_taken(block, block_bytes_);
}

bool BlockPool::try_take(size_t count, std::byte** blocks, size_t spare) {
  if (count == 0) return true;
  const std::lock_guard lock(mutex_);
  if (free_.size() < count + spare) return false;
  for (size_t i = 0; i < count; ++i) {
    blocks[i] = free_.back();
    memory_taken(blocks[i], block_bytes_);
    free_.pop_back();
  }
  return true;
}

void BlockPool::give_back(std::byte* block) {
  memory_returned(block, block_bytes_);
  const std::lock_guard lock(mutex_);
  free_.push_back(block);
}

}  // namespace snapshard
