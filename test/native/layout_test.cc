#include <algorithm>
#include <optional>

#include "base/sizes.h"
#include "random.h"
#include "test.h"
#include "transfer/layout.h"

using snapshard::divide_up;
using snapshard::Failure;
using snapshard::kChunkBytes;
using snapshard::kMiB;
using snapshard::Layout;
using snapshard::LayoutInput;
using snapshard::Status;
using snapshard::test::Random;

namespace {

void add_segments(LayoutInput& input, uint64_t bytes, Random& random) {
  while (bytes > 0) {
    const uint64_t part = random.one_in(2) ? bytes : random.between(1, bytes);
    input.segment_bytes.push_back(part);
    input.segment_source.push_back(static_cast<uint32_t>(input.segment_source.size()));
    input.segment_offset.push_back(random.up_to(1000));
    bytes -= part;
  }
}

LayoutInput random_input(uint64_t block_bytes, Random& random) {
  LayoutInput input;
  const uint64_t files = random.up_to(4);
  for (uint64_t file = 0; file < files; ++file) {
    const uint64_t header = random.one_in(4) ? random.near(block_bytes, 3 * block_bytes) : 4096 * random.between(1, 4);
    input.headers.emplace_back(std::max<uint64_t>(header, 1));
    const auto slices = static_cast<uint32_t>(random.up_to(6));
    input.file_slices.push_back(slices);
    for (uint32_t slice = 0; slice < slices; ++slice) {
      const uint64_t unit = random.of(std::vector<uint64_t>{1, 512, 4096, kChunkBytes, block_bytes});
      const uint64_t bytes = random.one_in(5) ? 0 : random.near(unit, std::min(3 * block_bytes, 8 * unit));
      input.slice_bytes.push_back(bytes);
      add_segments(input, bytes, random);
    }
  }
  return input;
}

// Where a slice starts in its file, counted here by simple addition.
struct Place {
  uint64_t begin;
  uint64_t bytes;
};

std::vector<Place> places_of(const LayoutInput& input, size_t file) {
  size_t slice = 0;
  for (size_t i = 0; i < file; ++i) slice += input.file_slices[i];
  uint64_t offset = input.headers[file].size();
  std::vector<Place> places;
  for (uint32_t i = 0; i < input.file_slices[file]; ++i) {
    places.push_back({offset, input.slice_bytes[slice + i]});
    offset += input.slice_bytes[slice + i];
  }
  return places;
}

// The chunks of a file as one walks them with no blocks in mind.
std::vector<Layout::Chunk> expected_chunks(const LayoutInput& input, size_t file, size_t first) {
  std::vector<Layout::Chunk> chunks;
  for (const Place& place : places_of(input, file)) {
    for (uint64_t offset = 0; offset < place.bytes; offset += kChunkBytes) {
      const uint64_t end = place.begin + std::min(offset + kChunkBytes, place.bytes);
      chunks.push_back({first + chunks.size(), place.begin + offset, end});
    }
  }
  return chunks;
}

void check_items(const Layout& layout, const LayoutInput& input, size_t index) {
  const Layout::File& file = layout.files()[index];
  const std::vector<Layout::Chunk> expected = expected_chunks(input, index, file.chunk_begin + 1);
  size_t next = 0;
  uint64_t covered = 0;
  for (size_t block = file.block_begin; block < file.block_end; ++block) {
    CHECK_EQUAL(layout.file_of_block(block), index);
    const uint64_t begin = layout.block_offset(file, block);
    const uint64_t end = begin + layout.block_length(file, block);
    CHECK_EQUAL(begin, covered);
    covered = end;
    uint64_t last_end = 0;
    layout.for_each_chunk(file, begin, end, [&](const Layout::Chunk& chunk) {
      CHECK(next < expected.size());
      CHECK_EQUAL(chunk.index, expected[next].index);
      CHECK_EQUAL(chunk.begin, expected[next].begin);
      CHECK_EQUAL(chunk.end, expected[next].end);
      CHECK(chunk.begin >= begin && chunk.begin < end && chunk.end <= end + layout.block_bytes());
      last_end = chunk.end;
      ++next;
    });
    CHECK_EQUAL(layout.spills(index, block), last_end > end);
  }
  CHECK_EQUAL(next, expected.size());
  CHECK_EQUAL(covered, file.bytes);
}

void check_segments(const Layout& layout, const LayoutInput& input, size_t index, Random& random) {
  const Layout::File& file = layout.files()[index];
  const uint64_t header = input.headers[index].size();
  uint64_t offset = header;
  for (size_t segment = file.segment_begin; segment < file.segment_end; ++segment) {
    CHECK_EQUAL(layout.segment_begin(segment), offset);
    offset += input.segment_bytes[segment];
    CHECK_EQUAL(layout.segment_end(segment), offset);
    const uint64_t inside = random.between(layout.segment_begin(segment), offset - 1);
    CHECK_EQUAL(layout.segment_at(file, inside), segment);
    CHECK_EQUAL(layout.segment_at(file, offset - 1), segment);
    CHECK_EQUAL(layout.segment_source(segment), input.segment_source[segment]);
    CHECK_EQUAL(layout.segment_source_offset(segment), input.segment_offset[segment]);
  }
  CHECK_EQUAL(offset, file.bytes);
}

void check_layout(const LayoutInput& input, uint64_t block_bytes, Random& random) {
  Layout layout;
  CHECK_OK(Layout::create(input, block_bytes, layout));
  CHECK_EQUAL(layout.files().size(), input.headers.size());
  CHECK_EQUAL(layout.slice_count(), input.slice_bytes.size());
  uint64_t total = 0;
  size_t chunks = 0;
  size_t blocks = 0;
  size_t slice = 0;
  for (size_t index = 0; index < layout.files().size(); ++index) {
    const Layout::File& file = layout.files()[index];
    CHECK_EQUAL(file.chunk_begin, chunks++);
    CHECK_EQUAL(file.block_begin, blocks);
    blocks += divide_up(file.bytes, block_bytes);
    CHECK_EQUAL(file.block_end, blocks);
    for (uint32_t i = 0; i < input.file_slices[index]; ++i, ++slice) {
      CHECK_EQUAL(layout.slice_chunk_begin(slice), chunks);
      chunks += divide_up(input.slice_bytes[slice], kChunkBytes);
      CHECK_EQUAL(layout.slice_chunk_end(slice), chunks);
    }
    total += file.bytes;
    check_items(layout, input, index);
    check_segments(layout, input, index, random);
  }
  CHECK_EQUAL(layout.chunk_count(), chunks);
  CHECK_EQUAL(layout.block_count(), blocks);
  CHECK_EQUAL(layout.total_bytes(), total);
}

LayoutInput simple_input() {
  LayoutInput input;
  input.headers.emplace_back(4096);
  input.file_slices = {2};
  input.slice_bytes = {10, 20};
  input.segment_bytes = {10, 15, 5};
  input.segment_source = {0, 0, 0};
  input.segment_offset = {0, 10, 25};
  return input;
}

template <typename Change>
void check_refused(Change change) {
  LayoutInput input = simple_input();
  change(input);
  Layout layout;
  const Status status = Layout::create(std::move(input), kMiB, layout);
  CHECK(status.kind() == Failure::kArgument);
}

}  // namespace

TEST(every_byte_belongs_to_one_item) {
  Random random(1);
  for (const uint64_t block_bytes : {kMiB, 2 * kMiB, 8 * kMiB}) {
    for (int round = 0; round < 400; ++round) check_layout(random_input(block_bytes, random), block_bytes, random);
  }
}

TEST(nothing_at_all) {
  Random random(2);
  check_layout(LayoutInput(), kMiB, random);
  LayoutInput header_only;
  header_only.headers.emplace_back(1);
  header_only.file_slices = {0};
  check_layout(header_only, kMiB, random);
}

TEST(header_longer_than_blocks) {
  Random random(3);
  for (const uint64_t header : {kMiB - 1, kMiB, kMiB + 1, 3 * kMiB, 3 * kMiB + 17}) {
    LayoutInput input;
    input.headers.emplace_back(header);
    input.file_slices = {3};
    input.slice_bytes = {0, 2 * kMiB + 5, 0};
    input.segment_bytes = {kMiB, kMiB + 5};
    input.segment_source = {0, 1};
    input.segment_offset = {0, 0};
    check_layout(input, kMiB, random);
  }
}

TEST(a_spill_may_fill_the_next_block) {
  LayoutInput input;
  input.headers.emplace_back(8);
  input.file_slices = {1};
  input.slice_bytes = {2 * kMiB - 8};
  input.segment_bytes = {2 * kMiB - 8};
  input.segment_source = {0};
  input.segment_offset = {0};
  Layout layout;
  CHECK_OK(Layout::create(input, kMiB, layout));
  CHECK(layout.spills(0, 0));
  CHECK(!layout.spills(0, 1));
}

TEST(malformed_requests_are_refused) {
  check_refused([](LayoutInput& input) { input.file_slices = {}; });
  check_refused([](LayoutInput& input) { input.file_slices = {1}; });
  check_refused([](LayoutInput& input) { input.file_slices = {3}; });
  check_refused([](LayoutInput& input) { input.headers[0].clear(); });
  check_refused([](LayoutInput& input) { input.segment_bytes = {10, 20}; });
  check_refused([](LayoutInput& input) { input.segment_source = {0}; });
  check_refused([](LayoutInput& input) { input.segment_bytes = {11, 14, 5}; });
  check_refused([](LayoutInput& input) { input.segment_bytes = {10, 0, 20}; });
  check_refused([](LayoutInput& input) { input.slice_bytes = {10, 19}; });
  check_refused([](LayoutInput& input) { input.slice_bytes = {10, 21}; });
}

TEST(sizes_that_no_file_has_are_refused) {
  check_refused([](LayoutInput& input) {
    input.slice_bytes = {10, uint64_t{1} << 53};
    input.segment_bytes = {10, uint64_t{1} << 53};
    input.segment_source.pop_back();
    input.segment_offset.pop_back();
  });
  // Each slice is possible; together they are not.
  check_refused([](LayoutInput& input) {
    constexpr size_t kCount = 8192;
    input.file_slices = {kCount};
    input.slice_bytes.assign(kCount, uint64_t{1} << 43);
    input.segment_bytes = input.slice_bytes;
    input.segment_source.assign(kCount, 0);
    input.segment_offset.assign(kCount, 0);
  });
}
