#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"

namespace snapshard {

// What is to be written, as JavaScript planned it: see TransferRequest in lib/binding.ts.
struct LayoutInput {
  std::vector<std::vector<std::byte>> headers;
  std::vector<uint32_t> file_slices;
  std::vector<uint64_t> slice_bytes;
  std::vector<uint64_t> segment_bytes;
  std::vector<uint32_t> segment_source;
  std::vector<uint64_t> segment_offset;
};

// The geometry of one transfer: files cut into chunks (of integrity) and blocks (of I/O). Immutable.
//
// Block k of a file covers [k * block_bytes, (k + 1) * block_bytes). Item k is the work of one stager: the header
// bytes in block k, and every chunk that *starts* in block k. Its last chunk may spill into block k + 1, never
// further, since a block is no smaller than a chunk.
class Layout {
 public:
  struct File {
    uint64_t bytes = 0;
    size_t slice_begin = 0;
    size_t slice_end = 0;
    size_t segment_begin = 0;
    size_t segment_end = 0;
    // Chunk of the header; those of the slices follow.
    size_t chunk_begin = 0;
    size_t block_begin = 0;
    size_t block_end = 0;
  };

  struct Chunk {
    size_t index = 0;
    // In the file.
    uint64_t begin = 0;
    uint64_t end = 0;
  };

  // Checks that segments cover all slices in order, none crossing from one slice to the next.
  static Status create(LayoutInput input, uint64_t block_bytes, Layout& layout);

  [[nodiscard]] uint64_t block_bytes() const { return block_bytes_; }
  [[nodiscard]] size_t block_count() const { return block_count_; }
  [[nodiscard]] size_t chunk_count() const { return chunk_count_; }
  [[nodiscard]] uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] const std::vector<File>& files() const { return files_; }
  [[nodiscard]] const std::vector<std::byte>& header(size_t file) const { return input_.headers[file]; }

  [[nodiscard]] size_t file_of_block(size_t block) const;
  [[nodiscard]] uint64_t block_offset(const File& file, size_t block) const;
  // Without padding.
  [[nodiscard]] uint64_t block_length(const File& file, size_t block) const;
  // Whether a chunk that starts in this block ends in the next.
  [[nodiscard]] bool spills(size_t file, size_t block) const;

  // The item that the chunk around this byte of a slice belongs to.
  [[nodiscard]] size_t item_of(const File& file, uint64_t offset) const;

  // Calls `visit(chunk)` for each chunk of the slices that starts in [begin, end) of the file.
  template <typename Visit>
  void for_each_chunk(const File& file, uint64_t begin, uint64_t end, Visit visit) const;

  // The segment that holds this byte of the file, which lies behind the header.
  [[nodiscard]] size_t segment_at(const File& file, uint64_t offset) const;
  [[nodiscard]] uint64_t segment_begin(size_t segment) const { return segment_start_[segment]; }
  [[nodiscard]] uint64_t segment_end(size_t segment) const {
    return segment_start_[segment] + input_.segment_bytes[segment];
  }
  [[nodiscard]] uint32_t segment_source(size_t segment) const { return input_.segment_source[segment]; }
  [[nodiscard]] uint64_t segment_source_offset(size_t segment) const { return input_.segment_offset[segment]; }
  [[nodiscard]] size_t segment_count() const { return segment_start_.size(); }

  [[nodiscard]] size_t slice_count() const { return slice_start_.size(); }
  [[nodiscard]] size_t slice_chunk_begin(size_t slice) const { return slice_chunk_[slice]; }
  [[nodiscard]] size_t slice_chunk_end(size_t slice) const;

 private:
  Status place_files();
  Status place_segments(size_t slice, size_t& segment);
  [[nodiscard]] size_t slice_at(const File& file, uint64_t offset) const;

  LayoutInput input_;
  uint64_t block_bytes_ = 0;
  size_t block_count_ = 0;
  size_t chunk_count_ = 0;
  uint64_t total_bytes_ = 0;
  std::vector<File> files_;
  // Offsets in the file.
  std::vector<uint64_t> slice_start_;
  std::vector<uint64_t> segment_start_;
  std::vector<size_t> slice_chunk_;
};

}  // namespace snapshard

#include "transfer/layout_inline.h"
