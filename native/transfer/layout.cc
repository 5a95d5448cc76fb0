#include "transfer/layout.h"

#include <utility>

namespace snapshard {

namespace {

// More than any file system takes, and little enough that no sum overflows and the lists of blocks fit in memory.
constexpr uint64_t kBytesMax = uint64_t{1} << 44;

Status malformed(const char* text) { return Status::failure(Failure::kArgument, text); }

// The last index in [begin, end) whose start is at or before the offset; `begin` where there is none.
size_t last_at_or_before(const std::vector<uint64_t>& starts, size_t begin, size_t end, uint64_t offset) {
  const auto first = starts.begin() + static_cast<ptrdiff_t>(begin);
  const auto found = std::upper_bound(first, starts.begin() + static_cast<ptrdiff_t>(end), offset);
  return found == first ? begin : static_cast<size_t>(found - starts.begin()) - 1;
}

}  // namespace

Status Layout::create(LayoutInput input, uint64_t block_bytes, Layout& layout) {
  if (input.headers.size() != input.file_slices.size()) return malformed("a header and a slice count for each file");
  const size_t segments = input.segment_bytes.size();
  if (input.segment_source.size() != segments || input.segment_offset.size() != segments) {
    return malformed("segment arrays of one length");
  }
  layout.input_ = std::move(input);
  layout.block_bytes_ = block_bytes;
  return layout.place_files();
}

Status Layout::place_files() {
  slice_start_.reserve(input_.slice_bytes.size());
  slice_chunk_.reserve(input_.slice_bytes.size());
  segment_start_.reserve(input_.segment_bytes.size());
  size_t segment = 0;
  for (size_t index = 0; index < input_.headers.size(); ++index) {
    File file;
    file.slice_begin = slice_start_.size();
    file.slice_end = file.slice_begin + input_.file_slices[index];
    if (file.slice_end > input_.slice_bytes.size()) return malformed("fewer slices than the files name");
    file.segment_begin = segment;
    file.chunk_begin = chunk_count_++;
    file.bytes = input_.headers[index].size();
    if (file.bytes == 0) return malformed("a file without a header");
    for (size_t slice = file.slice_begin; slice < file.slice_end; ++slice) {
      slice_start_.push_back(file.bytes);
      slice_chunk_.push_back(chunk_count_);
      const Status status = place_segments(slice, segment);
      if (!status.ok()) return status;
      file.bytes += input_.slice_bytes[slice];
      chunk_count_ += divide_up(input_.slice_bytes[slice], kChunkBytes);
    }
    file.segment_end = segment;
    file.block_begin = block_count_;
    block_count_ += divide_up(file.bytes, block_bytes_);
    file.block_end = block_count_;
    total_bytes_ += file.bytes;
    files_.push_back(file);
  }
  if (slice_start_.size() != input_.slice_bytes.size()) return malformed("more slices than the files name");
  if (segment != input_.segment_bytes.size()) return malformed("more segments than the slices need");
  return {};
}

Status Layout::place_segments(size_t slice, size_t& segment) {
  uint64_t left = input_.slice_bytes[slice];
  uint64_t start = slice_start_[slice];
  if (left > kBytesMax || total_bytes_ + start > kBytesMax - left) return malformed("at most 2^44 bytes in all");
  while (left > 0) {
    if (segment == input_.segment_bytes.size()) return malformed("segments that cover every slice");
    const uint64_t bytes = input_.segment_bytes[segment];
    if (bytes == 0 || bytes > left) return malformed("segments that end where their slice ends");
    segment_start_.push_back(start);
    start += bytes;
    left -= bytes;
    ++segment;
  }
  return {};
}

size_t Layout::file_of_block(size_t block) const {
  const auto after = std::upper_bound(files_.begin(), files_.end(), block,
                                      [](size_t value, const File& file) { return value < file.block_end; });
  return static_cast<size_t>(after - files_.begin());
}

uint64_t Layout::block_offset(const File& file, size_t block) const {
  return (block - file.block_begin) * block_bytes_;
}

uint64_t Layout::block_length(const File& file, size_t block) const {
  return std::min(block_bytes_, file.bytes - block_offset(file, block));
}

bool Layout::spills(size_t file, size_t block) const {
  const File& place = files_[file];
  const uint64_t end = block_offset(place, block) + block_bytes_;
  if (end >= place.bytes || end <= input_.headers[file].size()) return false;
  const size_t slice = slice_at(place, end);
  return (end - slice_start_[slice]) % kChunkBytes != 0;
}

size_t Layout::item_of(const File& file, uint64_t offset) const {
  const uint64_t start = slice_start_[slice_at(file, offset)];
  return file.block_begin + (start + round_down(offset - start, kChunkBytes)) / block_bytes_;
}

size_t Layout::slice_at(const File& file, uint64_t offset) const {
  return last_at_or_before(slice_start_, file.slice_begin, file.slice_end, offset);
}

size_t Layout::segment_at(const File& file, uint64_t offset) const {
  return last_at_or_before(segment_start_, file.segment_begin, file.segment_end, offset);
}

size_t Layout::slice_chunk_end(size_t slice) const {
  return slice_chunk_[slice] + divide_up(input_.slice_bytes[slice], kChunkBytes);
}

}  // namespace snapshard
