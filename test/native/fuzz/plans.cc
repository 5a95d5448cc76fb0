#include "plans.h"

#include <algorithm>
#include <set>

#include "base/sizes.h"

namespace snapshard::test {

namespace {

// More than any sum of the numbers of a plan.
using Sum = unsigned __int128;

void cut_slice(FuzzInput& input, uint64_t bytes, size_t sources, LayoutInput& layout) {
  for (uint64_t left = bytes; left > 0;) {
    uint64_t part = input.one_in(2) ? left : std::clamp<uint64_t>(input.number(), 1, left);
    if (input.empty()) part = left;
    layout.segment_bytes.push_back(part);
    layout.segment_source.push_back(static_cast<uint32_t>(sources == 0 ? 0 : input.byte() % sources));
    layout.segment_offset.push_back(input.one_in(3) ? input.number() : input.byte());
    left -= part;
  }
}

// The segments from `segment` on that make up a slice.
bool takes_segments(const LayoutInput& layout, uint64_t bytes, size_t& segment) {
  Sum sum = 0;
  for (; sum < bytes; ++segment) {
    if (segment >= layout.segment_bytes.size() || layout.segment_bytes[segment] == 0) return false;
    sum += layout.segment_bytes[segment];
  }
  return sum == bytes;
}

}  // namespace

LayoutInput fuzzed_layout(FuzzInput& input, size_t sources, const Sizes& sizes) {
  constexpr size_t kFilesMax = 3;
  constexpr size_t kSlicesMax = 5;
  LayoutInput layout;
  for (size_t file = input.up_to(kFilesMax); file > 0; --file) {
    constexpr size_t kHeaderBytesMax = 2 * kMiB + 2;
    layout.headers.emplace_back(input.one_in(64) ? input.number() % kHeaderBytesMax : 1 + input.byte());
    layout.file_slices.push_back(static_cast<uint32_t>(input.up_to(kSlicesMax)));
    for (uint32_t slice = 0; slice < layout.file_slices.back(); ++slice) {
      layout.slice_bytes.push_back(sizes(input));
      cut_slice(input, layout.slice_bytes.back(), sources, layout);
    }
  }
  return layout;
}

void edit(FuzzInput& input, LayoutInput& layout) {
  switch (input.up_to(5)) {
    case 0:
      return input.edit(layout.file_slices);
    case 1:
      return input.edit(layout.slice_bytes);
    case 2:
      return input.edit(layout.segment_bytes);
    case 3:
      return input.edit(layout.segment_source);
    case 4:
      return input.edit(layout.segment_offset);
    default:
      layout.headers.emplace_back(input.byte());
  }
}

bool is_sound(const LayoutInput& layout) {
  constexpr Sum kBytesMax = Sum{1} << 44U;
  const size_t segments = layout.segment_bytes.size();
  if (layout.file_slices.size() != layout.headers.size()) return false;
  if (layout.segment_source.size() != segments || layout.segment_offset.size() != segments) return false;
  Sum total = 0;
  size_t slice = 0;
  size_t segment = 0;
  for (size_t file = 0; file < layout.headers.size(); ++file) {
    total += layout.headers[file].size();
    if (layout.headers[file].empty() || layout.file_slices[file] > layout.slice_bytes.size() - slice) return false;
    for (uint32_t i = 0; i < layout.file_slices[file]; ++i, ++slice) {
      total += layout.slice_bytes[slice];
      if (total > kBytesMax || !takes_segments(layout, layout.slice_bytes[slice], segment)) return false;
    }
  }
  return slice == layout.slice_bytes.size() && segment == segments;
}

void fuzz_chunks(FuzzInput& input, const Sizes& sizes, ReadInput& read) {
  constexpr size_t kChunksMax = 12;
  uint32_t file = 0;
  uint64_t offset = 0;
  std::vector<uint64_t> filled(read.targets.size());
  for (size_t chunk = input.up_to(kChunksMax); chunk > 0; --chunk) {
    if (input.one_in(4)) file += 1, offset = 0;
    if (input.one_in(3)) offset += sizes(input);
    const uint64_t bytes = input.one_in(4) ? kChunkBytes : 1 + sizes(input) % kChunkBytes;
    read.chunk_file.push_back(read.paths.empty() ? 0 : file % static_cast<uint32_t>(read.paths.size()));
    read.chunk_offset.push_back(offset);
    read.chunk_bytes.push_back(static_cast<uint32_t>(bytes));
    read.chunk_copies.push_back(read.targets.empty() ? 0 : static_cast<uint32_t>(input.up_to(2)));
    offset += bytes;
    for (uint32_t copy = 0; copy < read.chunk_copies.back(); ++copy) {
      const size_t target = input.byte() % read.targets.size();
      const uint64_t from = input.one_in(2) ? 0 : input.number() % bytes;
      const uint64_t length = input.one_in(2) ? bytes - from : 1 + input.number() % (bytes - from);
      read.copy_from.push_back(static_cast<uint32_t>(from));
      read.copy_bytes.push_back(static_cast<uint32_t>(length));
      read.copy_target.push_back(static_cast<uint32_t>(target));
      read.copy_to.push_back(filled[target]);
      filled[target] += length + (input.one_in(3) ? input.byte() : 0);
    }
  }
}

void edit(FuzzInput& input, ReadInput& read) {
  switch (input.up_to(7)) {
    case 0:
      return input.edit(read.chunk_file);
    case 1:
      return input.edit(read.chunk_offset);
    case 2:
      return input.edit(read.chunk_bytes);
    case 3:
      return input.edit(read.chunk_copies);
    case 4:
      return input.edit(read.copy_from);
    case 5:
      return input.edit(read.copy_bytes);
    case 6:
      return input.edit(read.copy_target);
    default:
      return input.edit(read.copy_to);
  }
}

bool is_sound(const ReadInput& read) {
  const size_t chunks = read.chunk_file.size();
  const size_t copies = read.copy_from.size();
  if (read.chunk_offset.size() != chunks || read.chunk_bytes.size() != chunks || read.chunk_copies.size() != chunks ||
      read.copy_bytes.size() != copies || read.copy_target.size() != copies || read.copy_to.size() != copies) {
    return false;
  }
  std::set<uint32_t> seen;
  Sum copy = 0;
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    const Sum bytes = read.chunk_bytes[chunk];
    if (read.chunk_file[chunk] >= read.paths.size() || bytes == 0 || bytes > kChunkBytes) return false;
    const bool goes_on = chunk > 0 && read.chunk_file[chunk] == read.chunk_file[chunk - 1];
    if (!goes_on && !seen.insert(read.chunk_file[chunk]).second) return false;
    if (goes_on && read.chunk_offset[chunk] < Sum{read.chunk_offset[chunk - 1]} + read.chunk_bytes[chunk - 1]) {
      return false;
    }
    const Sum end = copy + read.chunk_copies[chunk];
    if (end > copies) return false;
    for (; copy < end; ++copy) {
      const auto at = static_cast<size_t>(copy);
      const Sum length = read.copy_bytes[at];
      if (length == 0 || read.copy_from[at] + length > bytes || read.copy_target[at] >= read.targets.size())
        return false;
      if (read.copy_to[at] + length > read.targets[read.copy_target[at]].bytes) return false;
    }
  }
  return copy == copies;
}

}  // namespace snapshard::test
