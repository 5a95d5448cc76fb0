#pragma once

#include <cstdint>
#include <string>

namespace snapshard {

enum class Direct { kYes, kNo, kUnknown };

// How one file can be written or read past the page cache.
struct DirectRules {
  // kUnknown: the file system takes O_DIRECT, but does not say what it makes of it.
  Direct direct = Direct::kNo;
  uint32_t memory_alignment = 0;
  uint32_t offset_alignment = 0;
  // Why not kYes.
  std::string reason;
  // Why io_uring is not to be trusted with such a file; else empty.
  std::string threads_reason = {};

  [[nodiscard]] bool usable() const { return direct != Direct::kNo; }
};

// Asks statx(2) for STATX_DIOALIGN; where that says nothing, the type of the file system decides. `fd` is a regular
// file open for writing.
DirectRules direct_rules(int fd);
// The same for a file open for reading, which may ask for less (STATX_DIO_READ_ALIGN).
DirectRules direct_rules_for_reading(int fd);

// Gives the descriptor O_DIRECT, or takes it away. False where the file system refuses.
bool set_direct(int fd, bool on);

}  // namespace snapshard
