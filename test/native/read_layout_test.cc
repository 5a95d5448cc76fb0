#include "transfer/read_layout.h"

#include <algorithm>
#include <functional>

#include "base/sizes.h"
#include "random.h"
#include "test.h"

using snapshard::Failure;
using snapshard::kChunkBytes;
using snapshard::kMiB;
using snapshard::ReadInput;
using snapshard::ReadLayout;
using snapshard::SourceKind;
using snapshard::Status;
using snapshard::Target;
using snapshard::test::Random;

namespace {

// Never touched: a layout only counts.
std::byte* address(uint64_t value) { return reinterpret_cast<std::byte*>(value); }

// Two chunks of one file, of which the first goes to a lease.
ReadInput small_input() {
  ReadInput input;
  input.paths = {"a", "b"};
  input.chunk_file = {0, 0};
  input.chunk_offset = {0, 5000};
  input.chunk_bytes = {5000, 100};
  input.chunk_copies = {1, 0};
  input.copy_from = {1000};
  input.copy_bytes = {4000};
  input.copy_target = {0};
  input.copy_to = {96};
  input.targets = {Target{SourceKind::kLease, address(1 << 20), 4096, nullptr, nullptr}};
  return input;
}

Status create(ReadInput input) {
  ReadLayout layout;
  return ReadLayout::create(std::move(input), layout);
}

}  // namespace

TEST(what_fits_is_taken) {
  CHECK_OK(create(small_input()));
  CHECK_OK(create(ReadInput()));
}

TEST(what_does_not_fit_is_refused) {
  const std::vector<std::function<void(ReadInput&)>> faults = {
      [](ReadInput& input) { input.chunk_file.push_back(0); },
      [](ReadInput& input) { input.chunk_offset.pop_back(); },
      [](ReadInput& input) { input.chunk_copies.pop_back(); },
      [](ReadInput& input) { input.copy_to.pop_back(); },
      [](ReadInput& input) { input.copy_bytes.push_back(1); },
      [](ReadInput& input) { input.chunk_file[1] = 2; },
      [](ReadInput& input) { input.paths.clear(); },
      [](ReadInput& input) { input.chunk_offset[1] = 4999; },
      [](ReadInput& input) { input.chunk_bytes[1] = 0; },
      [](ReadInput& input) { input.chunk_bytes[1] = kChunkBytes + 1; },
      [](ReadInput& input) { input.chunk_copies[0] = 0; },
      [](ReadInput& input) { input.chunk_copies[0] = 2; },
      [](ReadInput& input) { input.chunk_copies[1] = UINT32_MAX; },
      [](ReadInput& input) { input.copy_bytes[0] = 0; },
      [](ReadInput& input) { input.copy_bytes[0] = 4001; },
      [](ReadInput& input) { input.copy_from[0] = UINT32_MAX; },
      [](ReadInput& input) { input.copy_target[0] = 1; },
      [](ReadInput& input) { input.copy_to[0] = 97; },
      [](ReadInput& input) { input.copy_to[0] = (uint64_t{1} << 53) - 1; },
      [](ReadInput& input) { input.targets[0].bytes = 0; },
      [](ReadInput& input) {
        input.chunk_file = {1, 0}, input.chunk_file.push_back(1);
      },
  };
  for (size_t fault = 0; fault < faults.size(); ++fault) {
    ReadInput input = small_input();
    faults[fault](input);
    if (create(std::move(input)).kind() != Failure::kArgument) CHECK_EQUAL(fault, SIZE_MAX);
  }
}

TEST(files_come_one_at_a_time) {
  ReadInput input = small_input();
  for (const uint32_t file : {1, 0}) {
    input.chunk_file.push_back(file);
    input.chunk_offset.push_back(1'000'000);
    input.chunk_bytes.push_back(1);
    input.chunk_copies.push_back(0);
    CHECK_EQUAL(create(input).ok(), file == 1);
  }
}

// JavaScript may have taken it away before the call: that is no mistake of who calls.
TEST(short_buffers_count_as_detached) {
  ReadInput input = small_input();
  input.targets[0].kind = SourceKind::kBuffer;
  CHECK_OK(create(input));
  input.targets[0].bytes = 0;
  CHECK(create(input).kind() == Failure::kTargetDetached);
}

// Every chunk is in one span, whole, and no span is larger than a block or goes to memory that is not aligned.
TEST(spans_cover_every_chunk) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    ReadInput input;
    input.paths = {"a"};
    input.targets = {Target{SourceKind::kLease, address(uint64_t{1} << 30), 64 * kMiB, nullptr, nullptr}};
    uint64_t offset = random.one_in(2) ? 0 : random.up_to(10'000);
    uint64_t to = random.one_in(2) ? 0 : random.up_to(10'000);
    for (uint64_t chunk = random.up_to(40); chunk > 0; --chunk) {
      const uint64_t bytes = random.one_in(2) ? kChunkBytes : random.near(4096, 20'000) + 1;
      if (random.one_in(5)) offset += random.one_in(2) ? 4096 : random.up_to(kMiB);
      input.chunk_file.push_back(0);
      input.chunk_offset.push_back(offset);
      input.chunk_bytes.push_back(static_cast<uint32_t>(bytes));
      input.chunk_copies.push_back(random.one_in(8) ? 0 : 1);
      if (input.chunk_copies.back() == 1) {
        input.copy_from.push_back(0);
        input.copy_bytes.push_back(static_cast<uint32_t>(bytes));
        input.copy_target.push_back(0);
        input.copy_to.push_back(to);
        to += bytes;
      }
      offset += bytes;
    }
    ReadLayout layout;
    CHECK_OK(ReadLayout::create(std::move(input), layout));
    const uint64_t alignment = random.of(std::vector<uint64_t>{1, 4096, 65536});
    const ReadLayout::Grain grain{2 * kMiB * (1 + random.up_to(1)), alignment, alignment};
    size_t next = 0;
    while (next < layout.chunk_count()) {
      const ReadLayout::Span span = layout.next_span(layout.files()[0], next, grain);
      CHECK_EQUAL(span.chunk_begin, next);
      CHECK(span.chunk_end > next && span.end - span.begin <= grain.block_bytes);
      CHECK(span.begin % alignment == 0 && span.end % alignment == 0);
      CHECK(span.begin <= layout.chunk_begin(next) && span.end >= layout.chunk_end(span.chunk_end - 1));
      for (size_t chunk = next; chunk < span.chunk_end && span.into != nullptr; ++chunk) {
        const snapshard::TargetCopy copy = layout.copy(layout.copies_begin(chunk), nullptr);
        CHECK(layout.target(copy.target).data + copy.to == span.into + (layout.chunk_begin(chunk) - span.begin));
        CHECK(reinterpret_cast<uintptr_t>(span.into) % alignment == 0);
      }
      next = span.chunk_end;
    }
  }
}
