#include "fuzz.h"

#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "../files.h"
#include "base/sizes.h"

namespace snapshard::test {

uint8_t FuzzInput::byte() {
  if (left_.empty()) return 0;
  const uint8_t first = left_.front();
  left_ = left_.subspan(1);
  return first;
}

uint64_t FuzzInput::word() {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8U | byte();
  return value;
}

uint64_t FuzzInput::number() {
  const uint8_t how = byte();
  const int near = static_cast<int>(how / 8 % 8) - 3;
  const auto next_to = [near](uint64_t value) { return value + static_cast<uint64_t>(static_cast<int64_t>(near)); };
  switch (how % 8) {
    case 0:
    case 1:
      return byte();
    case 2:
      return next_to(512 * uint64_t{byte()});
    case 3:
      return next_to(4 * kKiB * byte());
    case 4:
      return next_to(kMiB * (byte() % 8));
    case 5:
      return next_to(uint64_t{1} << byte() % 64U);
    case 6:
      return word() % (4 * kMiB);
    default:
      return word();
  }
}

std::vector<std::byte> FuzzInput::bytes(size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& each : bytes) each = std::byte{byte()};
  return bytes;
}

const std::string& fuzz_folder() {
  static const TemporaryDirectory kFolder = [] {
    struct stat information {};
    return ::stat("/dev/shm", &information) == 0 ? TemporaryDirectory("/dev/shm") : TemporaryDirectory();
  }();
  return kFolder.path();
}

}  // namespace snapshard::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    snapshard::test::FuzzInput input(data, size);
    snapshard::test::fuzz(input);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::abort();
  }
  return 0;
}
