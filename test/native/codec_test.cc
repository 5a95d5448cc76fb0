#include "base/sizes.h"
#include "codec/digest.h"
#include "random.h"
#include "reference.h"
#include "test.h"

using snapshard::digest_of;
using snapshard::Hasher;
using snapshard::kMiB;
using snapshard::to_hex;
using snapshard::test::Random;
using snapshard::test::reference_digest;

// The vectors that xxHash itself publishes for no bytes at all.
TEST(digest_of_nothing) { CHECK_EQUAL(to_hex(digest_of(nullptr, 0)), "99aa06d3014798d86001c324468d497f"); }

TEST(every_length_agrees_with_the_plain_implementation) {
  Random random(1);
  const std::vector<std::byte> data = random.bytes(5000);
  for (size_t bytes = 0; bytes < data.size(); bytes += 1 + bytes / 50) {
    CHECK(digest_of(data.data(), bytes) == reference_digest(data.data(), bytes));
  }
}

TEST(pieces_make_the_digest_of_the_whole) {
  Random random(2);
  const std::vector<std::byte> data = random.bytes(3 * kMiB + 17);
  Hasher hasher;
  for (int round = 0; round < 30; ++round) {
    const size_t bytes = random.near(4096, data.size());
    hasher.reset();
    for (size_t at = 0; at < bytes;) {
      const size_t piece = random.between(1, bytes - at);
      hasher.update(data.data() + at, piece);
      at += piece;
    }
    CHECK(hasher.digest() == reference_digest(data.data(), bytes));
  }
}

TEST(a_vector_unit_is_named) { CHECK(std::string(snapshard::hash_vector_unit()).size() >= 4); }
