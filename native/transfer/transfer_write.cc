// Writing: from full blocks to the device. Most of it runs on an engine's threads.
#include <errno.h>
#include <string.h>

#include "base/sizes.h"
#include "transfer/engine.h"
#include "transfer/staging.h"
#include "transfer/transfer_parts.h"

namespace snapshard {

namespace {

// Completions without progress after which a write counts as failed.
constexpr int kAttemptsMax = 100;

}  // namespace

void Transfer::enqueue_or_park(Block& block) {
  {
    const std::lock_guard lock(mutex_);
    if (life_ended_) return;
    if (!files_[block.file].open) {
      files_[block.file].parked.push(&block);
      return;
    }
    begin_activity();
  }
  staging_->enqueue(block);
}

bool Transfer::issue(IoRequest& request) {
  auto& block = static_cast<Block&>(request);
  if (failed()) {
    end_activity();
    return false;
  }
  File& file = files_[block.file];
  const Layout::File& place = layout_.files()[block.file];
  const uint64_t length = layout_.block_length(place, block.index);
  const uint64_t padded = file.output.padded(length);
  block.buffered = !file.output.direct();
  block.fd = file.output.fd();
  block.offset = layout_.block_offset(place, block.index);
  block.bytes = static_cast<uint32_t>(padded);
  block.listener = this;
  if (block.in_place) {
    const Cursor cursor(layout_, block.file, block.offset);
    block.data = const_cast<std::byte*>(sources_[cursor.source()].data + cursor.source_offset(block.offset));
  } else {
    // Nothing that an earlier save left in the block may reach the disk.
    ::memset(block.memory + length, 0, padded - length);
    block.data = block.memory;
  }
  if (traces()) trace_of(block.index).submitted = trace_now();
  submit(block);
  return true;
}

void Transfer::submit(Block& block) {
  const bool by_threads = block.buffered || files_[block.file].output.by_threads();
  staging_->engine_for(by_threads).submit(&block);
}

void Transfer::on_completed(IoRequest& request, int64_t result) {
  auto& block = static_cast<Block&>(request);
  const std::shared_ptr<Staging> staging = staging_;
  if (!failed()) {
    if (retry(block, result)) return;
    if (result < 0) {
      fail(Status::system(static_cast<int>(-result), "write", files_[block.file].path));
    } else if (static_cast<uint64_t>(result) < block.bytes) {
      fail(Status::system(EIO, "write", files_[block.file].path));
    } else {
      block_written(block);
    }
  }
  staging->request_ended();
  end_activity();
}

// Whether the rest of the block, or all of it, is under way again.
bool Transfer::retry(Block& block, int64_t result) {
  OutputFile& output = files_[block.file].output;
  const uint64_t exact_end = layout_.block_offset(layout_.files()[block.file], block.index) +
                             layout_.block_length(layout_.files()[block.file], block.index);
  if (result == -EINVAL && !block.buffered) {
    output.fall_back_to_buffered();
    block.buffered = true;
    block.bytes = static_cast<uint32_t>(exact_end - block.offset);
    submit(block);
    return true;
  }
  const bool transient = result == -EAGAIN || result == -EINTR;
  if (result < 0 && !transient) return false;
  uint64_t advance = transient ? 0 : static_cast<uint64_t>(result);
  if (advance >= block.bytes) return false;
  if (!block.buffered) advance = round_down(advance, output.rules().offset_alignment);
  if (advance == 0 && ++block.attempts > kAttemptsMax) return false;
  block.data += advance;
  block.offset += advance;
  block.bytes -= static_cast<uint32_t>(advance);
  submit(block);
  return true;
}

void Transfer::block_written(Block& block) {
  const size_t file = block.file;
  if (traces()) trace_of(block.index).completed = trace_now();
  written_bytes_.fetch_add(layout_.block_length(layout_.files()[file], block.index), std::memory_order_relaxed);
  release_block(block);
  if (options_.in_place) count_towards_checks(file, block.index);
  if (blocks_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    const std::lock_guard lock(mutex_);
    outcome_.times.written_seconds = elapsed_seconds();
  }
  if (files_[file].blocks_left.fetch_sub(1, std::memory_order_acq_rel) == 1) post(&Transfer::seal_file, file);
}

// An item is checked once every block that its chunks reach is on the device.
void Transfer::count_towards_checks(size_t file, size_t block) {
  const size_t first_block = layout_.files()[file].block_begin;
  const auto count = [&](size_t item) {
    if (blocks_[item].check_waits.fetch_sub(1, std::memory_order_acq_rel) != 1 || !item_in_place(file, item)) return;
    {
      const std::lock_guard lock(mutex_);
      checks_.push_back(item);
    }
    staging_->engine().notify();
  };
  count(block);
  if (block > first_block && layout_.spills(file, block - 1)) count(block - 1);
}

void Transfer::release_block(Block& block) {
  if (block.memory == nullptr) return;
  staging_->pool().give_back(block.memory);
  block.memory = nullptr;
  staging_->engine().notify();
}

}  // namespace snapshard
