#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace snapshard::test {

// Repeatable: every test names its seed.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  // From 0 to `most`.
  uint64_t up_to(uint64_t most) { return std::uniform_int_distribution<uint64_t>(0, most)(engine_); }
  uint64_t between(uint64_t least, uint64_t most) { return least + up_to(most - least); }
  bool one_in(uint64_t count) { return up_to(count - 1) == 0; }
  template <typename Value>
  const Value& of(const std::vector<Value>& values) {
    return values[up_to(values.size() - 1)];
  }

  // At or next to a multiple of the unit, or anything below `most`.
  uint64_t near(uint64_t unit, uint64_t most) {
    if (one_in(4)) return up_to(most);
    const uint64_t multiple = up_to(most / unit) * unit;
    const uint64_t offset = up_to(4);
    return offset < 2 && multiple >= 2 ? multiple - 2 + offset : multiple + offset - (offset < 2 ? 0 : 2);
  }

  void fill(std::byte* data, size_t bytes) {
    // A few megabytes in each test: quick, and good enough (splitmix64).
    uint64_t state = engine_();
    for (size_t at = 0; at < bytes; at += sizeof(state)) {
      state += 0x9E3779B97F4A7C15U;
      const uint64_t mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9U;
      const uint64_t word = mixed ^ (mixed >> 27);
      std::memcpy(data + at, &word, std::min(sizeof(word), bytes - at));
    }
  }

  std::vector<std::byte> bytes(size_t count) {
    std::vector<std::byte> made(count);
    fill(made.data(), count);
    return made;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace snapshard::test
