// Items that read device memory.
#include <algorithm>
#include <utility>

#include "base/sizes.h"
#include "transfer/engine.h"
#include "transfer/staging.h"
#include "transfer/transfer_parts.h"

namespace snapshard {

Status Transfer::prepare() {
  for (const Source& source : sources_) {
    if (source.kind != SourceKind::kCuda) continue;
    Status status = lanes_.add(staging_->engine(), *source.cuda);
    if (!status.ok()) return status;
  }
  if (!lanes_.empty()) {
    plan_device_items();
  } else if (options_.device_snapshot) {
    outcome_.device_reason = "no source is device memory";
  }
  return {};
}

void Transfer::plan_device_items() {
  item_reads_.resize(layout_.block_count());
  std::vector<uint8_t> queue_of_item(layout_.block_count(), static_cast<uint8_t>(lanes_.size()));
  for (const Layout::File& place : layout_.files()) {
    for (size_t segment = place.segment_begin; segment < place.segment_end; ++segment) {
      plan_segment(place, segment, queue_of_item);
    }
    // Where no chunk begins there is only what the item before it brings.
    for (size_t item = place.block_begin + 1; item < place.block_end; ++item) {
      if (item_reads_[item] == 0) queue_of_item[item] = queue_of_item[item - 1];
    }
  }
  if (lanes_.size() > 1 && lanes_.size() < UINT8_MAX) order_.split(std::move(queue_of_item), lanes_.size() + 1);
}

// An item that reads several devices counts for the first of them.
void Transfer::plan_segment(const Layout::File& place, size_t segment, std::vector<uint8_t>& queue_of_item) {
  const Source& source = sources_[layout_.segment_source(segment)];
  const bool device = source.kind == SourceKind::kCuda;
  const size_t lane = device ? lanes_.index_of(*source.cuda) : lanes_.size();
  const uint64_t begin = layout_.segment_begin(segment);
  const uint64_t end = layout_.segment_end(segment);
  const size_t last = layout_.item_of(place, end - 1);
  for (size_t item = layout_.item_of(place, begin); item <= last; ++item) {
    item_reads_[item] |= device ? kReadsDevice : kReadsHost;
    if (device && queue_of_item[item] == lanes_.size()) queue_of_item[item] = static_cast<uint8_t>(lane);
  }
  if (!device || !options_.device_snapshot) return;
  snapshot_.add(segment, lane, source.cuda->pointer + layout_.segment_source_offset(segment), end - begin);
}

void Transfer::run_device_item(size_t item, Stager& stager) {
  stager.clock.begin(traces());
  Status status = gather(item, stager);
  if (!status.ok()) {
    fail(std::move(status));
  } else if (!failed()) {
    if (traces()) trace_gathered(item, stager);
    ask_for_copies(item, stager);
  }
  stager.device_copies().clear();
  stager.reader.forget();
  end_activity();
}

Status Transfer::gather(size_t item, Stager& stager) {
  const size_t file = layout_.file_of_block(item);
  const Layout::File& place = layout_.files()[file];
  const uint64_t begin = layout_.block_offset(place, item);
  stage_header(file, item, stager);
  Cursor cursor(layout_, file, begin);
  Status status;
  layout_.for_each_chunk(place, begin, begin + layout_.block_length(place, item), [&](const Layout::Chunk& chunk) {
    for (uint64_t offset = chunk.begin; offset < chunk.end && status.ok() && !failed();) {
      cursor.move_to(offset);
      const uint64_t block_end = round_down(offset, layout_.block_bytes()) + layout_.block_bytes();
      const uint64_t end = std::min({chunk.end, layout_.segment_end(cursor.segment), block_end});
      status = gather_piece(cursor, offset, end - offset, stager);
      offset = end;
    }
  });
  return status;
}

Status Transfer::gather_piece(Cursor& cursor, uint64_t offset, uint64_t bytes, Stager& stager) {
  const Source& source = sources_[cursor.source()];
  const uint64_t source_offset = cursor.source_offset(offset);
  std::byte* destination = place_of(cursor.file, offset);
  if (source.kind != SourceKind::kCuda) {
    return stager.reader.read(source, cursor.source(), source_offset, destination, bytes, *listener_);
  }
  const CudaPointer from = has_snapshot_
                               ? snapshot_.address(cursor.segment) + (offset - layout_.segment_begin(cursor.segment))
                               : source.cuda->pointer + source_offset;
  const size_t lane = lanes_.index_of(*source.cuda);
  stager.device_copies().add(lane, {reinterpret_cast<uint64_t>(destination), from, bytes});
  return {};
}

std::byte* Transfer::place_of(const Layout::File& place, uint64_t offset) const {
  return blocks_[place.block_begin + offset / layout_.block_bytes()].memory + offset % layout_.block_bytes();
}

void Transfer::ask_for_copies(size_t item, Stager& stager) {
  const LaneCopies& asked = stager.device_copies();
  // All host bytes are in, and those of the device are safe.
  if (has_snapshot_ && waits_for_reading(item)) item_read();
  blocks_[item].copies_left = asked.lanes();
  asked.for_each([this, item](size_t lane, const std::vector<CudaCopy>& copies) {
    note_slower(staging_->register_with_cuda(lanes_.device(lane)));
    begin_activity();
    lanes_[lane].copy(CudaDirection::kToHost, copies,
                      [this, item](Status status) { copies_landed(item, std::move(status)); });
  });
}

void Transfer::note_slower(const std::string& reason) {
  if (reason.empty()) return;
  const std::lock_guard lock(mutex_);
  if (outcome_.device_reason.empty()) outcome_.device_reason = reason;
}

// On a lane's thread.
void Transfer::copies_landed(size_t item, Status status) {
  if (!status.ok()) fail(std::move(status));
  if (blocks_[item].copies_left.fetch_sub(1, std::memory_order_acq_rel) == 1 && !failed()) {
    if (traces()) trace_of(item).copy = trace_now() - trace_of(item).gather_start;
    if (!has_snapshot_) item_read();
    {
      const std::lock_guard lock(mutex_);
      if (order_.is_split()) order_.ended(item);
      landed_.push_back(item);
    }
    staging_->engine().notify();
  }
  end_activity();
}

void Transfer::hash_item(size_t item, Stager& stager) {
  const Layout::File& place = layout_.files()[layout_.file_of_block(item)];
  const uint64_t header_bytes = layout_.header(layout_.file_of_block(item)).size();
  const uint64_t begin = layout_.block_offset(place, item);
  const uint64_t end = begin + layout_.block_length(place, item);
  uint64_t staged = std::clamp(header_bytes, begin, end) - begin;
  uint64_t spilled = 0;
  const TraceTime hash_start = traces() ? trace_now() : 0;
  layout_.for_each_chunk(place, begin, end, [&](const Layout::Chunk& chunk) {
    if (failed()) return;
    outcome_.chunk_digests[chunk.index] = digest_in_blocks(place, chunk, stager);
    staged += std::min(chunk.end, end) - chunk.begin;
    if (chunk.end > end) spilled = chunk.end - end;
  });
  if (!failed()) {
    if (traces()) trace_of(item).hash = trace_now() - hash_start;
    account_item(item, staged, spilled);
    part_done();
  }
  end_activity();
}

Digest Transfer::digest_in_blocks(const Layout::File& place, const Layout::Chunk& chunk, Stager& stager) {
  const uint64_t block_end = round_down(chunk.begin, layout_.block_bytes()) + layout_.block_bytes();
  if (chunk.end <= block_end) return digest_of(place_of(place, chunk.begin), chunk.end - chunk.begin);
  stager.hasher.reset();
  stager.hasher.update(place_of(place, chunk.begin), block_end - chunk.begin);
  stager.hasher.update(place_of(place, block_end), chunk.end - block_end);
  return stager.hasher.digest();
}

// Memory that was disposed of meanwhile may go with the last transfer that used it.
void Transfer::release_device() {
  if (lanes_.empty()) return;
  using Held = std::pair<std::vector<Source>, std::vector<std::shared_ptr<CudaMemory>>>;
  lanes_.give_back(std::make_shared<Held>(std::move(sources_), snapshot_.release()));
}

}  // namespace snapshard
