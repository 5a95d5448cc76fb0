#pragma once

#include <algorithm>

#include "base/sizes.h"
#include "transfer/layout.h"

namespace snapshard {

template <typename Visit>
void Layout::for_each_chunk(const File& file, uint64_t begin, uint64_t end, Visit visit) const {
  if (file.slice_begin == file.slice_end) return;
  for (size_t slice = slice_at(file, begin); slice < file.slice_end && slice_start_[slice] < end; ++slice) {
    const uint64_t start = slice_start_[slice];
    const uint64_t bytes = input_.slice_bytes[slice];
    uint64_t chunk = start >= begin ? 0 : divide_up(begin - start, kChunkBytes);
    for (; chunk * kChunkBytes < bytes && start + chunk * kChunkBytes < end; ++chunk) {
      const uint64_t chunk_begin = start + chunk * kChunkBytes;
      visit(Chunk{slice_chunk_[slice] + chunk, chunk_begin, std::min(chunk_begin + kChunkBytes, start + bytes)});
    }
  }
}

}  // namespace snapshard
