// Sizes of the format and of the machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace snapshard {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;

// The unit of integrity: a constant of the disk format.
inline constexpr uint64_t kChunkBytes = kMiB;
// Copying and hashing alternate in pieces that stay in the cache.
inline constexpr uint64_t kPieceBytes = 256 * kKiB;
// What direct I/O is aligned to where the file system asks for less, or does not say.
inline constexpr uint64_t kDirectAlignment = 4096;

inline constexpr uint64_t kMinBlockBytes = kMiB;
inline constexpr uint64_t kMaxBlockBytes = 64 * kMiB;

constexpr uint64_t round_down(uint64_t value, uint64_t unit) { return value / unit * unit; }
constexpr uint64_t round_up(uint64_t value, uint64_t unit) { return round_down(value + unit - 1, unit); }
constexpr uint64_t divide_up(uint64_t value, uint64_t unit) { return value / unit + (value % unit != 0); }

}  // namespace snapshard
