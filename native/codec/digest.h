// XXH3-128, seed 0: the digest of every chunk, tensor, file and manifest.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>

struct XXH3_state_s;

namespace snapshard {

inline constexpr size_t kDigestBytes = 16;

// Canonical form: big-endian.
using Digest = std::array<std::byte, kDigestBytes>;

Digest digest_of(const void* data, size_t bytes);
std::string to_hex(const Digest& digest);

// Which vector unit hashing uses here, chosen at run time: `avx512`, `avx2`, `sse2`, `neon` or `scalar`.
const char* hash_vector_unit();

// A digest taken piece by piece. One thread at a time.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void reset();
  void update(const void* data, size_t bytes);
  [[nodiscard]] Digest digest() const;

 private:
  XXH3_state_s* state_;
};

}  // namespace snapshard
