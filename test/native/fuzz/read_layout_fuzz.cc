// What a read asks for, as numbers: taken exactly where it can be carried out, and then asked of the device in spans
// that hold every chunk once, and no byte that is not theirs or a short gap's.
#include "../test.h"
#include "base/sizes.h"
#include "fuzz.h"
#include "plans.h"
#include "transfer/read_layout.h"

using snapshard::Failure;
using snapshard::kKiB;
using snapshard::kMiB;
using snapshard::ReadInput;
using snapshard::ReadLayout;
using snapshard::SourceKind;
using snapshard::Status;
using snapshard::Target;
using snapshard::TargetCopy;
using snapshard::test::FuzzInput;

namespace {

// Far from each other, and never touched: a layout only counts.
std::byte* address_of(FuzzInput& input, size_t target) {
  return reinterpret_cast<std::byte*>((target + 1) << 56U) + 512 * input.byte() + input.up_to(1);
}

void check_in_place(const ReadLayout& layout, const ReadLayout::Span& span, uint64_t memory_alignment) {
  CHECK(reinterpret_cast<uintptr_t>(span.into) % memory_alignment == 0);
  uint64_t position = span.begin;
  for (size_t chunk = span.chunk_begin; chunk < span.chunk_end; ++chunk) {
    CHECK_EQUAL(layout.chunk_begin(chunk), position);
    CHECK_EQUAL(layout.copies_end(chunk) - layout.copies_begin(chunk), size_t{1});
    const TargetCopy copy = layout.copy(layout.copies_begin(chunk), nullptr);
    CHECK(copy.from == nullptr && copy.bytes == layout.chunk_bytes(chunk));
    const Target& target = layout.target(copy.target);
    CHECK(target.is_stable_memory());
    CHECK(target.data + copy.to == span.into + (position - span.begin));
    position += copy.bytes;
  }
  CHECK_EQUAL(position, span.end);
}

// No more is read for nothing than what alignment adds, and gaps that are not worth another request.
void check_in_block(const ReadLayout& layout, const ReadLayout::Span& span, uint64_t alignment) {
  constexpr uint64_t kGapBytesMax = 32 * kKiB;
  for (size_t chunk = span.chunk_begin + 1; chunk < span.chunk_end; ++chunk) {
    CHECK(layout.chunk_begin(chunk) - layout.chunk_end(chunk - 1) < alignment + kGapBytesMax);
  }
}

void check_spans(const ReadLayout& layout, const ReadLayout::File& file, const ReadLayout::Grain& grain) {
  for (size_t next = file.chunk_begin; next < file.chunk_end;) {
    const ReadLayout::Span span = layout.next_span(file, next, grain);
    CHECK_EQUAL(span.chunk_begin, next);
    CHECK(span.chunk_end > next && span.chunk_end <= file.chunk_end);
    CHECK(span.begin < span.end && span.end - span.begin <= grain.block_bytes);
    CHECK(span.begin % grain.offset_alignment == 0 && span.end % grain.offset_alignment == 0);
    CHECK(span.begin <= layout.chunk_begin(next) && layout.chunk_end(span.chunk_end - 1) <= span.end);
    CHECK(layout.chunk_begin(next) - span.begin < grain.offset_alignment);
    CHECK(span.end - layout.chunk_end(span.chunk_end - 1) < grain.offset_alignment);
    if (span.into == nullptr) {
      check_in_block(layout, span, grain.offset_alignment);
    } else {
      check_in_place(layout, span, grain.memory_alignment);
    }
    next = span.chunk_end;
  }
}

}  // namespace

FUZZ {
  ReadInput asked;
  asked.paths.resize(input.up_to(3), "file");
  for (size_t target = input.up_to(3); target > 0; --target) {
    const auto kind = input.one_in(2) ? SourceKind::kLease : static_cast<SourceKind>(input.up_to(2));
    const uint64_t bytes = input.one_in(2) ? 64 * kMiB : input.number();
    asked.targets.push_back({kind, address_of(input, target), bytes, nullptr, nullptr});
  }
  fuzz_chunks(
      input, [](FuzzInput& from) { return from.number() & ((uint64_t{1} << 53U) - 1); }, asked);
  for (size_t edits = input.up_to(2); edits > 0; --edits) edit(input, asked);
  for (uint64_t& offset : asked.chunk_offset) offset &= (uint64_t{1} << 53U) - 1;
  const bool sound = is_sound(asked);
  ReadLayout layout;
  const Status status = ReadLayout::create(asked, layout);
  CHECK_EQUAL(status.ok(), sound);
  if (!status.ok()) {
    CHECK(status.kind() == Failure::kArgument || status.kind() == Failure::kTargetDetached);
    return;
  }
  // Which the rules for direct reads promise: a divisor of 1 MiB.
  const uint64_t offset_alignment = uint64_t{1} << input.up_to(20);
  const ReadLayout::Grain grain{2 * kMiB << input.up_to(5), offset_alignment, 1 + input.number() % (2 * kMiB)};
  size_t next = 0;
  for (const ReadLayout::File& file : layout.files()) {
    CHECK_EQUAL(file.chunk_begin, next);
    check_spans(layout, file, grain);
    next = file.chunk_end;
  }
  CHECK_EQUAL(next, layout.chunk_count());
}
