#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/status.h"
#include "memory/mapping.h"

namespace snapshard {

// A fixed number of equal blocks in one mapping. Any thread may take and give back; what was given back last is taken
// first, so that blocks which are never needed at once take no memory until prefault().
class BlockPool {
 public:
  // `total_bytes` is a multiple of `block_bytes`.
  static Status create(uint64_t total_bytes, uint64_t block_bytes, BlockPool& pool);

  void prefer_node(int node) { memory_.prefer_node(node); }
  [[nodiscard]] Status prefault() { return memory_.prefault(); }

  BlockPool() = default;
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // All of `count` blocks or none: who waits holds nothing. None, too, unless `spare` blocks are left for others.
  [[nodiscard]] bool try_take(size_t count, std::byte** blocks, size_t spare = 0);
  void give_back(std::byte* block);

  [[nodiscard]] uint64_t block_bytes() const { return block_bytes_; }
  [[nodiscard]] const Mapping& memory() const { return memory_; }

 private:
  Mapping memory_;
  uint64_t block_bytes_ = 0;
  std::mutex mutex_;
  std::vector<std::byte*> free_;
};

}  // namespace snapshard
