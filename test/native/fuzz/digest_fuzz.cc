// A digest is the same however its bytes come, and that of the other implementation.
#include <algorithm>
#include <cstdio>

#include "../reference.h"
#include "../test.h"
#include "codec/digest.h"
#include "fuzz.h"

using snapshard::Digest;
using snapshard::Hasher;

FUZZ {
  std::vector<std::byte> bytes = input.bytes(input.byte());
  // Long ones repeat: what matters is where they are cut.
  const size_t length = input.one_in(8) ? input.number() % 8192 : bytes.size();
  while (!bytes.empty() && bytes.size() < length) bytes.insert(bytes.end(), bytes.begin(), bytes.end());
  const Digest expected = snapshard::test::reference_digest(bytes.data(), bytes.size());
  CHECK(snapshard::digest_of(bytes.data(), bytes.size()) == expected);
  static Hasher hasher;
  hasher.reset();
  for (size_t position = 0; position < bytes.size();) {
    size_t part = bytes.size() - position;
    if (!input.empty()) part = std::min<size_t>(part, input.number() % 1024);
    hasher.update(bytes.data() + position, part);
    position += part;
  }
  CHECK(hasher.digest() == expected);
  std::string hex;
  for (const std::byte byte : expected) {
    char digits[3];
    (void)std::snprintf(digits, sizeof digits, "%02x", std::to_integer<unsigned>(byte));
    hex += digits;
  }
  CHECK_EQUAL(snapshard::to_hex(expected), hex);
}
