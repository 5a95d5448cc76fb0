// What becomes of the bytes that have landed: digests, and copies into targets.
#include <string.h>

#include <algorithm>

#include "base/sizes.h"
#include "transfer/engine.h"
#include "transfer/read_parts.h"
#include "transfer/staging.h"

namespace snapshard {

namespace {

// Copies that go to the JavaScript thread together.
constexpr size_t kCopiesMax = 1024;

}  // namespace

void Read::hand_out(Piece& piece, Stager& stager) {
  const ReadLayout::Span span = piece.span;
  Status status;
  for (size_t chunk = span.chunk_begin; chunk < span.chunk_end && status.ok() && !failed(); ++chunk) {
    const std::byte* start = piece.memory() + (layout_.chunk_begin(chunk) - span.begin);
    status = hand_out_chunk(chunk, start, piece.block == nullptr, stager);
  }
  if (status.ok()) status = flush_copies(stager);
  stager.copies().clear();
  if (!status.ok()) fail(std::move(status));
  if (lanes_.empty() || failed() || stager.device_copies().empty()) {
    finish(piece);
  } else {
    ask_for_copies(piece, stager);
  }
  stager.device_copies().clear();
}

// All of its bytes are where they belong, or the read has failed.
void Read::finish(Piece& piece) {
  if (!failed()) {
    const ReadLayout::Span& span = piece.span;
    uint64_t bytes = 0;
    for (size_t chunk = span.chunk_begin; chunk < span.chunk_end; ++chunk) bytes += layout_.chunk_bytes(chunk);
    done_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    const size_t count = span.chunk_end - span.chunk_begin;
    if (files_[piece.file].chunks_left.fetch_sub(count, std::memory_order_acq_rel) == count) {
      post(&Read::close_file, piece.file);
    }
  }
  release(piece);
}

Status Read::hand_out_chunk(size_t chunk, const std::byte* bytes, bool in_place, Stager& stager) {
  if (!in_place && copy_and_hash(chunk, bytes, stager)) return {};
  if (options_.hash) outcome_.digests[chunk] = digest_of(bytes, layout_.chunk_bytes(chunk));
  return in_place ? Status() : copy_out(chunk, bytes, stager);
}

// Where the whole chunk goes to one place: hashes and copies by turns, in pieces that stay in the cache.
bool Read::copy_and_hash(size_t chunk, const std::byte* bytes, Stager& stager) {
  const uint64_t length = layout_.chunk_bytes(chunk);
  if (!options_.hash || length <= kPieceBytes) return false;
  if (layout_.copies_end(chunk) != layout_.copies_begin(chunk) + 1) return false;
  const TargetCopy copy = layout_.copy(layout_.copies_begin(chunk), bytes);
  const Target& target = layout_.target(copy.target);
  if (copy.bytes != length || !target.is_stable_memory()) return false;
  stager.hasher.reset();
  for (uint64_t offset = 0; offset < length; offset += kPieceBytes) {
    const uint64_t part = std::min(kPieceBytes, length - offset);
    stager.hasher.update(bytes + offset, part);
    ::memcpy(target.data + copy.to + offset, bytes + offset, part);
  }
  outcome_.digests[chunk] = stager.hasher.digest();
  return true;
}

Status Read::copy_out(size_t chunk, const std::byte* bytes, Stager& stager) {
  for (size_t index = layout_.copies_begin(chunk); index < layout_.copies_end(chunk); ++index) {
    const TargetCopy copy = layout_.copy(index, bytes);
    const Target& target = layout_.target(copy.target);
    if (target.is_stable_memory()) {
      ::memcpy(target.data + copy.to, copy.from, copy.bytes);
      continue;
    }
    if (target.kind == SourceKind::kCuda) {
      add_device_copy(copy, stager);
      continue;
    }
    stager.copies().push_back(copy);
    if (stager.copies().size() < kCopiesMax) continue;
    Status status = flush_copies(stager);
    if (!status.ok()) return status;
  }
  return {};
}

Status Read::flush_copies(Stager& stager) {
  if (stager.copies().empty()) return {};
  Status status = listener_->copy(stager.copies());
  stager.copies().clear();
  return status;
}

}  // namespace snapshard
