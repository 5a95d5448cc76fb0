// Digests as docs/format.md has them, by xxHash's own header in one shot: nothing of the code under test.
#pragma once

#include <cstddef>
#include <vector>

#include "codec/digest.h"

namespace snapshard::test {

Digest reference_digest(const std::byte* data, size_t bytes);
// Of the digests, one behind the other.
Digest reference_digest(const std::vector<Digest>& digests);

}  // namespace snapshard::test
