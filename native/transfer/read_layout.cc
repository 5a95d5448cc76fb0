#include "transfer/read_layout.h"

#include <algorithm>
#include <utility>

#include "base/sizes.h"

namespace snapshard {

namespace {

// A disk that does 60,000 small reads or 2 GB a second takes as long for one more read as for 32 KiB.
constexpr uint64_t kGapBytesMax = 32 * kKiB;
// Less than this is not worth a request of its own: it is copied from a block that its neighbours share.
constexpr uint64_t kRunBytesMin = 512 * kKiB;

Status malformed(const char* text) { return Status::failure(Failure::kArgument, text); }

}  // namespace

Status ReadLayout::create(ReadInput input, ReadLayout& layout) {
  const size_t chunks = input.chunk_file.size();
  if (input.chunk_offset.size() != chunks || input.chunk_bytes.size() != chunks ||
      input.chunk_copies.size() != chunks) {
    return malformed("chunk arrays of one length");
  }
  const size_t copies = input.copy_from.size();
  if (input.copy_bytes.size() != copies || input.copy_target.size() != copies || input.copy_to.size() != copies) {
    return malformed("copy arrays of one length");
  }
  layout.input_ = std::move(input);
  return layout.place_chunks();
}

Status ReadLayout::place_chunks() {
  const size_t chunks = chunk_count();
  std::vector<bool> seen(input_.paths.size());
  copies_begin_.reserve(chunks + 1);
  copies_begin_.push_back(0);
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    const uint32_t path = input_.chunk_file[chunk];
    if (path >= input_.paths.size()) return malformed("chunks of files that are there");
    if (chunk_bytes(chunk) == 0 || chunk_bytes(chunk) > kChunkBytes) return malformed("chunks of 1 byte to 1 MiB");
    if (files_.empty() || files_.back().path != path) {
      if (seen[path]) return malformed("chunks that are given file by file");
      seen[path] = true;
      files_.push_back({path, chunk, chunk});
    } else if (chunk_begin(chunk) < chunk_end(chunk - 1)) {
      return malformed("chunks by ascending offset that do not overlap");
    }
    files_.back().chunk_end = chunk + 1;
    copies_begin_.push_back(copies_begin_.back() + input_.chunk_copies[chunk]);
    Status status = check_copies(chunk);
    if (!status.ok()) return status;
  }
  if (copies_begin_.back() != input_.copy_from.size()) return malformed("as many copies as the chunks name");
  return {};
}

Status ReadLayout::check_copies(size_t chunk) const {
  if (copies_end(chunk) > input_.copy_from.size()) return malformed("as many copies as the chunks name");
  for (size_t copy = copies_begin(chunk); copy < copies_end(chunk); ++copy) {
    const uint64_t bytes = input_.copy_bytes[copy];
    if (bytes == 0 || bytes > chunk_bytes(chunk) || input_.copy_from[copy] > chunk_bytes(chunk) - bytes) {
      return malformed("copies inside their chunk");
    }
    if (input_.copy_target[copy] >= input_.targets.size()) return malformed("copies to targets that are there");
    const Target& target = input_.targets[input_.copy_target[copy]];
    if (bytes <= target.bytes && input_.copy_to[copy] <= target.bytes - bytes) continue;
    if (target.kind != SourceKind::kBuffer) return malformed("copies inside their target");
    return Status::failure(Failure::kTargetDetached, "a target is shorter than what is read into it");
  }
  return {};
}

// Where the chunk can be read to without a block; nullptr where it cannot.
std::byte* ReadLayout::place_in_target(size_t chunk, const Grain& grain) const {
  const size_t copy = copies_begin(chunk);
  if (copies_end(chunk) != copy + 1 || input_.copy_bytes[copy] != chunk_bytes(chunk)) return nullptr;
  const Target& target = input_.targets[input_.copy_target[copy]];
  // Not shared memory: a device that answers only after its environment was given up may still write there.
  if (target.kind != SourceKind::kLease) return nullptr;
  std::byte* place = target.data + input_.copy_to[copy];
  const bool aligned = chunk_begin(chunk) % grain.offset_alignment == 0 &&
                       chunk_end(chunk) % grain.offset_alignment == 0 &&
                       reinterpret_cast<uintptr_t>(place) % grain.memory_alignment == 0;
  return aligned ? place : nullptr;
}

// Chunks that follow each other in the file and in memory; empty where the first one needs a block.
ReadLayout::Span ReadLayout::run_in_target(const File& file, size_t first, const Grain& grain) const {
  const uint64_t begin = chunk_begin(first);
  Span run{first, first, begin, begin, place_in_target(first, grain)};
  if (run.into == nullptr) return run;
  for (size_t chunk = first; chunk < file.chunk_end; ++chunk) {
    if (chunk_begin(chunk) != run.end || chunk_end(chunk) - begin > grain.block_bytes) break;
    if (place_in_target(chunk, grain) != run.into + (run.end - begin)) break;
    run.end = chunk_end(chunk);
    run.chunk_end = chunk + 1;
  }
  return run;
}

ReadLayout::Span ReadLayout::next_span(const File& file, size_t first, const Grain& grain) const {
  const Span run = run_in_target(file, first, grain);
  if (run.end - run.begin >= kRunBytesMin) return run;
  return span_of_block(file, first, run.chunk_end, grain);
}

// Ends where a long run in a target begins; before `no_run_before` there is none.
ReadLayout::Span ReadLayout::span_of_block(const File& file, size_t first, size_t no_run_before,
                                           const Grain& grain) const {
  Span span{first, first + 1, round_down(chunk_begin(first), grain.offset_alignment),
            round_up(chunk_end(first), grain.offset_alignment), nullptr};
  for (size_t chunk = first + 1; chunk < file.chunk_end; ++chunk) {
    const uint64_t end = round_up(chunk_end(chunk), grain.offset_alignment);
    if (end - span.begin > grain.block_bytes || chunk_begin(chunk) > span.end + kGapBytesMax) break;
    if (chunk >= no_run_before) {
      const Span run = run_in_target(file, chunk, grain);
      if (run.end - run.begin >= kRunBytesMin) break;
      no_run_before = run.chunk_end;
    }
    span.end = end;
    span.chunk_end = chunk + 1;
  }
  return span;
}

}  // namespace snapshard
