// Staging: from sources into blocks, and the digests.
#include <string.h>

#include <algorithm>

#include "base/sizes.h"
#include "transfer/engine.h"
#include "transfer/staging.h"
#include "transfer/transfer_parts.h"

namespace snapshard {

namespace {

// Its own, and the one that its last chunk spills into.
constexpr size_t kBlocksOfItemMax = 2;

}  // namespace

// A block is written from where its bytes lie when one aligned lease holds all of it. The tail of a file is padded, so
// it is always copied.
bool Transfer::wants_in_place(size_t file, size_t block) const {
  const Layout::File& place = layout_.files()[file];
  const uint64_t offset = layout_.block_offset(place, block);
  const uint64_t length = layout_.block_length(place, block);
  if (!options_.in_place || length != layout_.block_bytes() || offset < layout_.header(file).size()) return false;
  // What a device copies has to land in memory that is ours.
  if (reads_device(block) || (block > place.block_begin && reads_device(block - 1))) return false;
  const Cursor cursor(layout_, file, offset);
  if (layout_.segment_end(cursor.segment) < offset + length) return false;
  const Source& source = sources_[cursor.source()];
  if (source.kind != SourceKind::kLease) return false;
  return reinterpret_cast<uintptr_t>(source.data + cursor.source_offset(offset)) % kDirectAlignment == 0;
}

bool Transfer::item_in_place(size_t file, size_t item) const {
  return blocks_[item].in_place || (layout_.spills(file, item) && blocks_[item + 1].in_place);
}

// All memory that an item touches, or none: a stager never waits while it holds a block.
bool Transfer::prepare_blocks(size_t item, size_t spare) {
  const size_t file = layout_.file_of_block(item);
  const size_t end = layout_.spills(file, item) ? item + 2 : item + 1;
  size_t wanted = 0;
  for (size_t i = item; i < end; ++i) {
    if (blocks_[i].prepared) continue;
    blocks_[i].in_place = wants_in_place(file, i);
    if (!blocks_[i].in_place) ++wanted;
  }
  std::byte* memory[kBlocksOfItemMax];
  if (!staging_->pool().try_take(wanted, memory, spare)) return false;
  for (size_t i = item; i < end; ++i) {
    if (blocks_[i].prepared) continue;
    blocks_[i].prepared = true;
    if (!blocks_[i].in_place) blocks_[i].memory = memory[--wanted];
  }
  return true;
}

// Checks of what was written in place come first: they are what `staged` waits for.
Claim Transfer::claim(bool may_take_blocks) {
  Claim claim;
  const std::lock_guard lock(mutex_);
  if (life_ended_) return claim;
  if (!checks_.empty()) {
    claim.item = checks_.back();
    claim.step = Step::kSecond;
    checks_.pop_back();
  } else if (has_unclaimed() && !waits_for_snapshot_) {
    if (may_take_blocks) {
      claim.item = order_.begin([this](size_t item, bool may_take_last) {
        return prepare_blocks(item, may_take_last ? 0 : kBlocksOfItemMax);
      });
    }
    claim.short_of_blocks = !claim.item;
  }
  if (!claim.item && !landed_.empty()) {
    claim.item = landed_.front();
    claim.step = Step::kSecond;
    landed_.pop_front();
  }
  if (claim.item) begin_activity();
  return claim;
}

void Transfer::run(size_t item, Step step, Stager& stager) {
  if (reads_device(item)) {
    step == Step::kFirst ? run_device_item(item, stager) : hash_item(item, stager);
  } else {
    step == Step::kFirst ? run_item(item, stager) : run_check(item, stager);
  }
}

void Transfer::run_item(size_t item, Stager& stager) {
  const size_t file = layout_.file_of_block(item);
  Status status = stage_item(file, item, stager);
  if (!status.ok()) {
    fail(std::move(status));
  } else if (!failed() && !item_in_place(file, item)) {
    item_staged();
  }
  if (order_.is_split()) {
    const std::lock_guard lock(mutex_);
    order_.ended(item);
  }
  stager.reader.forget();
  end_activity();
}

Status Transfer::stage_item(size_t file, size_t item, Stager& stager) {
  const Layout::File& place = layout_.files()[file];
  const uint64_t begin = layout_.block_offset(place, item);
  const uint64_t end = begin + layout_.block_length(place, item);
  stager.clock.begin(traces());
  stage_header(file, item, stager);
  uint64_t spilled = 0;
  uint64_t staged = std::clamp<uint64_t>(layout_.header(file).size(), begin, end) - begin;
  if (place.segment_begin == place.segment_end) {
    if (traces()) trace_gathered(item, stager);
    account_item(item, staged, 0);
    return {};
  }
  Status status;
  Cursor cursor(layout_, file, begin);
  layout_.for_each_chunk(place, begin, end, [&](const Layout::Chunk& chunk) {
    if (!status.ok() || failed()) return;
    status = stage_chunk(chunk, cursor, stager, outcome_.chunk_digests[chunk.index]);
    staged += std::min(chunk.end, end) - chunk.begin;
    if (chunk.end > end) spilled = chunk.end - end;
  });
  if (!status.ok() || failed()) return status;
  if (traces() && staged > 0) trace_gathered(item, stager);
  account_item(item, staged, spilled);
  return {};
}

void Transfer::stage_header(size_t file, size_t item, Stager& stager) {
  const std::vector<std::byte>& header = layout_.header(file);
  const Layout::File& place = layout_.files()[file];
  const uint64_t begin = layout_.block_offset(place, item);
  if (begin >= header.size()) return;
  if (begin == 0) {
    outcome_.chunk_digests[place.chunk_begin] = digest_of(header.data(), header.size());
    stager.clock.hashed();
  }
  ::memcpy(blocks_[item].memory, header.data() + begin, std::min(layout_.block_bytes(), header.size() - begin));
  stager.clock.copied();
}

Status Transfer::stage_chunk(const Layout::Chunk& chunk, Cursor& cursor, Stager& stager, Digest& digest) {
  bool whole = true;
  for (uint64_t offset = chunk.begin; offset < chunk.end;) {
    cursor.move_to(offset);
    const uint64_t block_end = round_down(offset, layout_.block_bytes()) + layout_.block_bytes();
    const uint64_t end = std::min({offset + kPieceBytes, chunk.end, layout_.segment_end(cursor.segment), block_end});
    const std::byte* placed = nullptr;
    Status status = place_piece(cursor, offset, end - offset, stager, &placed);
    if (!status.ok()) return status;
    if (whole && end == chunk.end) {
      digest = digest_of(placed, end - offset);
      stager.clock.hashed();
      return {};
    }
    if (whole) stager.hasher.reset();
    whole = false;
    stager.hasher.update(placed, end - offset);
    stager.clock.hashed();
    offset = end;
  }
  digest = stager.hasher.digest();
  return {};
}

Status Transfer::place_piece(Cursor& cursor, uint64_t offset, size_t bytes, Stager& stager, const std::byte** placed) {
  const Source& source = sources_[cursor.source()];
  const uint64_t source_offset = cursor.source_offset(offset);
  const Block& block = blocks_[cursor.file.block_begin + offset / layout_.block_bytes()];
  stager.clock.begin_piece(bytes);
  if (block.in_place) {
    *placed = source.data + source_offset;
    return {};
  }
  std::byte* destination = block.memory + offset % layout_.block_bytes();
  *placed = destination;
  Status status = stager.reader.read(source, cursor.source(), source_offset, destination, bytes, *listener_);
  stager.clock.copied();
  return status;
}

// What was written in place must still be there, or the digests would bless bytes that the disk never got.
void Transfer::run_check(size_t item, Stager& stager) {
  const size_t file = layout_.file_of_block(item);
  const Layout::File& place = layout_.files()[file];
  const uint64_t begin = layout_.block_offset(place, item);
  const uint64_t end = begin + layout_.block_length(place, item);
  Cursor cursor(layout_, file, begin);
  Status status;
  layout_.for_each_chunk(place, begin, end, [&](const Layout::Chunk& chunk) {
    const bool in_place = blocks_[item].in_place || (chunk.end > end && blocks_[item + 1].in_place);
    if (status.ok() && !failed() && in_place) status = recheck_chunk(chunk, cursor, stager);
  });
  if (!status.ok()) {
    fail(std::move(status));
  } else if (!failed()) {
    item_staged();
  }
  stager.reader.forget();
  end_activity();
}

Status Transfer::recheck_chunk(const Layout::Chunk& chunk, Cursor& cursor, Stager& stager) {
  stager.hasher.reset();
  for (uint64_t offset = chunk.begin; offset < chunk.end;) {
    cursor.move_to(offset);
    const uint64_t end = std::min({offset + kPieceBytes, chunk.end, layout_.segment_end(cursor.segment)});
    const Source& source = sources_[cursor.source()];
    const uint64_t source_offset = cursor.source_offset(offset);
    const std::byte* data = source.data + source_offset;
    if (!source.is_stable_memory()) {
      std::byte* scratch = stager.scratch();
      Status status = stager.reader.read(source, cursor.source(), source_offset, scratch, end - offset, *listener_);
      if (!status.ok()) return status;
      data = scratch;
    }
    stager.hasher.update(data, end - offset);
    offset = end;
  }
  if (stager.hasher.digest() == outcome_.chunk_digests[chunk.index]) return {};
  return Status::failure(Failure::kSourceChanged, "a source changed while it was written in place");
}

void Transfer::account(size_t block, uint64_t bytes) {
  // Nothing of a block may come from its own item: whoever filled it has queued it already, and may do so only once.
  if (bytes == 0) return;
  staged_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (blocks_[block].remaining.fetch_sub(bytes, std::memory_order_acq_rel) != bytes) return;
  if (traces()) trace_of(block).queued = trace_now();
  enqueue_or_park(blocks_[block]);
}

// `staged` bytes of its own block, and `spilled` of the next.
void Transfer::account_item(size_t item, uint64_t staged, uint64_t spilled) {
  if (traces() && spilled > 0) trace_spilled(item, spilled);
  account(item, staged);
  account(item + 1, spilled);
}

void Transfer::item_staged() {
  item_read();
  part_done();
}

void Transfer::item_read() {
  if (items_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    {
      const std::lock_guard lock(mutex_);
      outcome_.times.staged_seconds = elapsed_seconds();
    }
    listener_->on_staged();
  }
}

}  // namespace snapshard
