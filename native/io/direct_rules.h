#pragma once

#include <cstdint>
#include <string>

namespace snapshard {

enum class Direct { kYes, kNo, kUnknown };

// How one file can be written past the page cache.
struct DirectRules {
  // kUnknown: the file system takes O_DIRECT, but does not say what it makes of it.
  Direct direct = Direct::kNo;
  uint32_t memory_alignment = 0;
  uint32_t offset_alignment = 0;
  // Why not kYes.
  std::string reason;

  [[nodiscard]] bool usable() const { return direct != Direct::kNo; }
};

// Asks statx(2) for STATX_DIOALIGN; where that says nothing, the type of the file system decides. `fd` is a regular
// file open for writing.
DirectRules direct_rules(int fd);

}  // namespace snapshard
