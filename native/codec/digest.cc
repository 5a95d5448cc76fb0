#include "codec/digest.h"

#include <new>

#define XXH_STATIC_LINKING_ONLY
#include "xxhash.h"
#ifdef SNAPSHARD_XXH_DISPATCH
#include "xxh_x86dispatch.h"
#endif

namespace snapshard {

namespace {

Digest canonical(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  Digest digest;
  for (size_t i = 0; i < kDigestBytes; ++i) digest[i] = std::byte{bytes.digest[i]};
  return digest;
}

}  // namespace

Digest digest_of(const void* data, size_t bytes) { return canonical(XXH3_128bits(data, bytes)); }

std::string to_hex(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * kDigestBytes);
  for (const std::byte byte : digest) {
    hex.push_back(kDigits[std::to_integer<unsigned>(byte) >> 4]);
    hex.push_back(kDigits[std::to_integer<unsigned>(byte) & 15U]);
  }
  return hex;
}

const char* hash_vector_unit() {
#ifdef SNAPSHARD_XXH_DISPATCH
  switch (XXH_featureTest()) {
    case XXH_AVX512:
      return "avx512";
    case XXH_AVX2:
      return "avx2";
    case XXH_SSE2:
      return "sse2";
    default:
      return "scalar";
  }
#elif XXH_VECTOR == XXH_NEON
  return "neon";
#else
  return "scalar";
#endif
}

Hasher::Hasher() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  reset();
}

Hasher::~Hasher() { XXH3_freeState(state_); }

void Hasher::reset() { XXH3_128bits_reset(state_); }

void Hasher::update(const void* data, size_t bytes) { XXH3_128bits_update(state_, data, bytes); }

Digest Hasher::digest() const { return canonical(XXH3_128bits_digest(state_)); }

}  // namespace snapshard
