#pragma once

#include <cstddef>
#include <cstdint>
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
    size_t at = 0;
    for (; at + 8 <= bytes; at += 8) {
      const uint64_t word = engine_();
      for (size_t i = 0; i < 8; ++i) data[at + i] = static_cast<std::byte>(word >> (8 * i));
    }
    for (; at < bytes; ++at) data[at] = static_cast<std::byte>(engine_());
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
