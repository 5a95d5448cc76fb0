// What a save asks for, as numbers: taken exactly where it can be carried out, and then cut as simple counting cuts it.
#include <algorithm>

#include "../test.h"
#include "base/sizes.h"
#include "fuzz.h"
#include "plans.h"
#include "transfer/layout.h"
#include "transfer/source_ranges.h"

using snapshard::check_source_ranges;
using snapshard::divide_up;
using snapshard::Failure;
using snapshard::kChunkBytes;
using snapshard::kMiB;
using snapshard::Layout;
using snapshard::LayoutInput;
using snapshard::Source;
using snapshard::SourceKind;
using snapshard::Status;
using snapshard::test::FuzzInput;

namespace {

// Blocks of a file that are looked at; of more, those at its ends and one in between.
constexpr size_t kBlocksMax = 5;
constexpr size_t kSegmentsMax = 64;

// A slice or segment: where it lies in its file.
struct Place {
  uint64_t begin;
  uint64_t end;
};

struct FileModel {
  std::vector<Place> slices;
  std::vector<Place> segments;
  size_t first_segment;
  uint64_t bytes;
};

std::vector<FileModel> model_of(const LayoutInput& input) {
  std::vector<FileModel> files;
  size_t slice = 0;
  size_t segment = 0;
  for (size_t file = 0; file < input.headers.size(); ++file) {
    FileModel model{{}, {}, segment, input.headers[file].size()};
    for (uint32_t i = 0; i < input.file_slices[file]; ++i, ++slice) {
      model.slices.push_back({model.bytes, model.bytes + input.slice_bytes[slice]});
      for (; model.bytes < model.slices.back().end; ++segment) {
        model.segments.push_back({model.bytes, model.bytes + input.segment_bytes[segment]});
        model.bytes = model.segments.back().end;
      }
    }
    files.push_back(std::move(model));
  }
  return files;
}

// The chunks that start in [begin, end), as one finds them by looking at every slice.
std::vector<Place> chunks_between(const FileModel& file, uint64_t begin, uint64_t end) {
  std::vector<Place> chunks;
  for (const Place& slice : file.slices) {
    uint64_t first = slice.begin;
    if (begin > first) first += divide_up(begin - first, kChunkBytes) * kChunkBytes;
    for (; first < std::min(end, slice.end); first += kChunkBytes) {
      chunks.push_back({first, std::min(first + kChunkBytes, slice.end)});
    }
  }
  return chunks;
}

void check_block(const Layout& layout, const FileModel& model, size_t index, size_t block) {
  const Layout::File& file = layout.files()[index];
  const uint64_t begin = layout.block_offset(file, block);
  const uint64_t end = begin + layout.block_length(file, block);
  CHECK_EQUAL(layout.file_of_block(block), index);
  CHECK_EQUAL(begin, (block - file.block_begin) * layout.block_bytes());
  CHECK_EQUAL(end, std::min(begin + layout.block_bytes(), model.bytes));
  const std::vector<Place> expected = chunks_between(model, begin, end);
  size_t next = 0;
  size_t last_index = 0;
  layout.for_each_chunk(file, begin, end, [&](const Layout::Chunk& chunk) {
    CHECK(next < expected.size());
    CHECK_EQUAL(chunk.begin, expected[next].begin);
    CHECK_EQUAL(chunk.end, expected[next].end);
    CHECK(chunk.index > file.chunk_begin && chunk.index < layout.chunk_count());
    CHECK(next == 0 || chunk.index == last_index + 1);
    CHECK_EQUAL(layout.item_of(file, chunk.begin), block);
    CHECK_EQUAL(layout.item_of(file, chunk.end - 1), block);
    last_index = chunk.index;
    ++next;
  });
  CHECK_EQUAL(next, expected.size());
  CHECK_EQUAL(layout.spills(index, block), next > 0 && expected.back().end > end);
}

void check_file(FuzzInput& input, const Layout& layout, const FileModel& model, size_t index) {
  const Layout::File& file = layout.files()[index];
  CHECK_EQUAL(file.bytes, model.bytes);
  CHECK_EQUAL(file.block_end - file.block_begin, divide_up(model.bytes, layout.block_bytes()));
  CHECK_EQUAL(file.segment_begin, model.first_segment);
  CHECK_EQUAL(file.segment_end, model.first_segment + model.segments.size());
  const size_t blocks = file.block_end - file.block_begin;
  for (size_t block = 0; block < std::min(blocks, kBlocksMax); ++block) {
    check_block(layout, model, index, file.block_begin + block);
    check_block(layout, model, index, file.block_end - 1 - block);
  }
  check_block(layout, model, index, file.block_begin + input.number() % blocks);
  for (size_t i = 0; i < std::min(model.segments.size(), kSegmentsMax); ++i) {
    const size_t segment = file.segment_begin + i;
    CHECK_EQUAL(layout.segment_begin(segment), model.segments[i].begin);
    CHECK_EQUAL(layout.segment_end(segment), model.segments[i].end);
    CHECK_EQUAL(layout.segment_at(file, model.segments[i].begin), segment);
    CHECK_EQUAL(layout.segment_at(file, model.segments[i].end - 1), segment);
  }
}

void check_layout(FuzzInput& input, const Layout& layout, const LayoutInput& asked) {
  const std::vector<FileModel> files = model_of(asked);
  CHECK_EQUAL(layout.files().size(), files.size());
  uint64_t total = 0;
  uint64_t blocks = 0;
  uint64_t chunks = files.size();
  for (size_t file = 0; file < files.size(); ++file) {
    CHECK_EQUAL(layout.files()[file].block_begin, blocks);
    check_file(input, layout, files[file], file);
    total += files[file].bytes;
    blocks += divide_up(files[file].bytes, layout.block_bytes());
  }
  for (size_t slice = 0; slice < asked.slice_bytes.size(); ++slice) {
    const uint64_t count = divide_up(asked.slice_bytes[slice], kChunkBytes);
    CHECK_EQUAL(layout.slice_chunk_end(slice) - layout.slice_chunk_begin(slice), count);
    chunks += count;
  }
  CHECK_EQUAL(layout.total_bytes(), total);
  CHECK_EQUAL(layout.block_count(), blocks);
  CHECK_EQUAL(layout.chunk_count(), chunks);
}

void check_sources(FuzzInput& input, const Layout& layout, const LayoutInput& asked) {
  std::vector<Source> sources(input.up_to(3));
  for (Source& source : sources) {
    source.kind = static_cast<SourceKind>(input.up_to(5));
    source.bytes = input.number();
  }
  bool inside = true;
  for (size_t segment = 0; segment < asked.segment_bytes.size(); ++segment) {
    const uint32_t index = asked.segment_source[segment];
    if (index >= sources.size()) {
      inside = false;
      continue;
    }
    const bool file = sources[index].kind == SourceKind::kPath || sources[index].kind == SourceKind::kDescriptor;
    const auto end = static_cast<unsigned __int128>(asked.segment_offset[segment]) + asked.segment_bytes[segment];
    inside = inside && (file || end <= sources[index].bytes);
  }
  CHECK_EQUAL(check_source_ranges(layout, sources).ok(), inside);
}

}  // namespace

FUZZ {
  const uint64_t block_bytes = kMiB << (input.one_in(16) ? 6 : input.up_to(2));
  LayoutInput asked = fuzzed_layout(
      input, 2, [](FuzzInput& from) { return from.one_in(8) ? from.number() : from.number() % (8 * kMiB); });
  for (size_t edits = input.up_to(2); edits > 0; --edits) edit(input, asked);
  Layout layout;
  const Status status = Layout::create(asked, block_bytes, layout);
  CHECK_EQUAL(status.ok(), is_sound(asked));
  if (!status.ok()) {
    CHECK(status.kind() == Failure::kArgument && !status.message().empty());
    return;
  }
  check_layout(input, layout, asked);
  check_sources(input, layout, asked);
}
