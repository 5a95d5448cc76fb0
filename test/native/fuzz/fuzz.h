// A fuzz target is one file of `FUZZ { ... }`, which makes something of `input` and checks what came of it. Built for
// libFuzzer, or with replay_main.cc for the corpus alone; a check that fails ends the process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace snapshard::test {

// Takes the bytes of a fuzzer apart; behind their end come zeros.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : left_(data, size) {}

  [[nodiscard]] bool empty() const { return left_.empty(); }
  uint8_t byte();
  uint64_t word();
  // From 0 to `most`, which is at most 255.
  size_t up_to(size_t most) { return byte() % (most + 1); }
  bool one_in(size_t count) { return up_to(count - 1) == 0; }
  // Any number, mostly a small one, or one next to those at which something changes.
  uint64_t number();
  std::vector<std::byte> bytes(size_t count);
  template <typename Value>
  const Value& of(const std::vector<Value>& values) {
    return values[up_to(values.size() - 1)];
  }
  // Changes an item, adds one or takes one away.
  template <typename Value>
  void edit(std::vector<Value>& values) {
    const size_t how = up_to(3);
    if (how == 0) {
      values.push_back(static_cast<Value>(number()));
    } else if (how == 1 && !values.empty()) {
      values.pop_back();
    } else if (!values.empty()) {
      values[byte() % values.size()] = static_cast<Value>(number());
    }
  }

 private:
  std::span<const uint8_t> left_;
};

void fuzz(FuzzInput& input);

// A directory in memory where there is one: for the life of the process, and removed at its end.
const std::string& fuzz_folder();

}  // namespace snapshard::test

#define FUZZ void snapshard::test::fuzz(snapshard::test::FuzzInput& input)
