#include "reference.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace snapshard::test {

Digest reference_digest(const std::byte* data, size_t bytes) {
  const XXH128_hash_t hash = XXH3_128bits(data, bytes);
  Digest digest;
  for (size_t i = 0; i < 8; ++i) {
    digest[i] = static_cast<std::byte>(hash.high64 >> (56 - 8 * i));
    digest[8 + i] = static_cast<std::byte>(hash.low64 >> (56 - 8 * i));
  }
  return digest;
}

Digest reference_digest(const std::vector<Digest>& digests) {
  return reference_digest(digests.empty() ? nullptr : digests[0].data(), digests.size() * kDigestBytes);
}

}  // namespace snapshard::test
