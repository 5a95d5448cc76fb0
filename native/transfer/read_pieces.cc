// Pieces: from the plan to the device and back. Completions come on an engine's threads.
#include <errno.h>

#include "base/sizes.h"
#include "memory/mapping.h"
#include "transfer/engine.h"
#include "transfer/read_parts.h"
#include "transfer/staging.h"

namespace snapshard {

namespace {

// Completions that ask to try again, after which a read counts as failed.
constexpr int kAttemptsMax = 100;

}  // namespace

// Asking comes first, so that the device is never idle while there is something to hash.
Claim Read::claim(bool may_take_blocks) {
  Claim claim;
  const std::lock_guard lock(mutex_);
  if (life_ended_) return claim;
  Piece* piece = nullptr;
  if (can_ask()) {
    piece = next_piece(may_take_blocks);
    claim.short_of_blocks = piece == nullptr;
  }
  if (piece != nullptr) {
    begin_activity();
  } else {
    piece = static_cast<Piece*>(landed_.pop());
    claim.step = Step::kSecond;
  }
  if (piece != nullptr) claim.item = static_cast<size_t>(piece - pieces_.get());
  return claim;
}

bool Read::can_ask() const {
  const StagingOptions& options = staging_->options();
  return has_unclaimed() && files_[next_file_].open && asked_ < size_t{options.queue_depth} + options.threads &&
         !free_.empty();
}

// nullptr where the pool is short of blocks.
Read::Piece* Read::next_piece(bool may_take_blocks) {
  const ReadLayout::File& place = layout_.files()[next_file_];
  const InputFile& input = files_[next_file_].input;
  if (!next_span_) {
    next_span_ = layout_.next_span(
        place, next_chunk_, {staging_->pool().block_bytes(), input.offset_alignment(), input.memory_alignment()});
  }
  std::byte* block = nullptr;
  if (next_span_->into == nullptr && (!may_take_blocks || !staging_->pool().try_take(1, &block))) return nullptr;
  auto* piece = static_cast<Piece*>(free_.pop());
  piece->file = next_file_;
  piece->span = *next_span_;
  piece->block = block;
  piece->landed_bytes = 0;
  piece->attempts = 0;
  ++asked_;
  outcome_.read_bytes += piece->span.end - piece->span.begin;
  next_chunk_ = piece->span.chunk_end;
  if (next_chunk_ == place.chunk_end) ++next_file_;
  next_span_.reset();
  return piece;
}

void Read::run(size_t item, Step step, Stager& stager) {
  if (step == Step::kFirst) {
    ask_for(pieces_[item]);
  } else {
    hand_out(pieces_[item], stager);
  }
}

void Read::ask_for(Piece& piece) {
  // Else the thread of the ring would have to, one page after the other.
  if (piece.block == nullptr || !staging_->options().prefault) {
    fault_in(piece.memory(), piece.span.end - piece.span.begin);
  }
  piece.operation = IoOperation::kRead;
  piece.listener = this;
  staging_->enqueue(piece);
}

bool Read::issue(IoRequest& request) {
  auto& piece = static_cast<Piece&>(request);
  if (failed()) {
    release(piece);
    return false;
  }
  const InputFile& input = files_[piece.file].input;
  piece.fd = input.fd();
  piece.buffered = !input.direct();
  resume(piece);
  return true;
}

// Asks for all that has not landed.
void Read::resume(Piece& piece) {
  const uint64_t alignment = piece.buffered ? 1 : files_[piece.file].input.offset_alignment();
  const uint64_t end = piece.buffered ? needed_bytes(piece) : piece.span.end - piece.span.begin;
  const uint64_t from = round_down(piece.landed_bytes, alignment);
  piece.data = piece.memory() + from;
  piece.offset = piece.span.begin + from;
  piece.bytes = static_cast<uint32_t>(end - from);
  staging_->engine_for(piece.buffered || files_[piece.file].input.by_threads()).submit(&piece);
}

void Read::on_completed(IoRequest& request, int64_t result) {
  auto& piece = static_cast<Piece&>(request);
  const std::shared_ptr<Staging> staging = staging_;
  if (!failed()) {
    if (retry(piece, result)) return;
    const std::string& path = layout_.path(layout_.files()[piece.file]);
    if (result < 0) {
      fail(Status::system(static_cast<int>(-result), "read", path));
    } else if (piece.landed_bytes < needed_bytes(piece)) {
      fail(Status::system(ENODATA, "read", path));
    }
  }
  staging->request_ended();
  land(piece, *staging);
}

// The span may reach past the end of the file; the last chunk may not.
uint64_t Read::needed_bytes(const Piece& piece) const {
  return layout_.chunk_end(piece.span.chunk_end - 1) - piece.span.begin;
}

// Whether what is missing of the piece is under way again.
bool Read::retry(Piece& piece, int64_t result) {
  if (result == -EINVAL && !piece.buffered) {
    files_[piece.file].input.fall_back_to_buffered();
    piece.buffered = true;
    resume(piece);
    return true;
  }
  if (result == -EAGAIN || result == -EINTR) {
    if (++piece.attempts > kAttemptsMax) return false;
    resume(piece);
    return true;
  }
  if (result < 0) return false;
  const uint64_t reached = piece.offset - piece.span.begin + static_cast<uint64_t>(result);
  // No further than before: the file ends here.
  if (reached <= piece.landed_bytes) return false;
  piece.landed_bytes = reached;
  if (reached >= needed_bytes(piece)) return false;
  resume(piece);
  return true;
}

// Once the piece has landed, a stager may deal with it, and the read may end.
void Read::land(Piece& piece, Staging& staging) {
  bool dropped = false;
  {
    const std::lock_guard lock(mutex_);
    --asked_;
    dropped = life_ended_;
    if (!dropped) landed_.push(&piece);
  }
  if (dropped) return release(piece);
  staging.engine().notify();
}

void Read::release(Piece& piece) {
  std::byte* block = piece.block;
  {
    const std::lock_guard lock(mutex_);
    free_.push(&piece);
  }
  if (block != nullptr) staging_->pool().give_back(block);
  staging_->engine().notify();
  end_activity();
}

}  // namespace snapshard
