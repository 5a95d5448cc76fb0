#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "codec/digest.h"
#include "io/direct_rules.h"
#include "io/directory_thread.h"
#include "io/request_queue.h"
#include "transfer/job.h"
#include "transfer/lanes.h"
#include "transfer/read_layout.h"

namespace snapshard {

struct ReadOptions {
  bool hash = true;
  bool follow_links = false;
};

struct ReadOutcome {
  Status status;
  // One for each chunk, if they were hashed.
  std::vector<Digest> digests;
  uint64_t read_bytes = 0;
  Direct direct = Direct::kYes;
  std::string direct_reason;
  // Why some file did not go through the ring, though direct; else empty.
  std::string threads_reason;
  // Why copies to a device were slower than they could be; else empty.
  std::string device_reason;
  double seconds = 0;
};

// Told, on some native thread, how a read ends.
class ReadListener : public TargetCopier {
 public:
  // The last call: nothing of the read runs any more, its blocks are back in the pool, its files closed.
  virtual void on_ended(ReadOutcome outcome) = 0;
};

// Chunks of files on their way from a device into targets.
//
// A *piece* is one request to the engine: neighbouring chunks, read into a block or straight into their target. A
// stager asks for it, and when it has landed, a stager hashes its chunks and copies what is not yet in place.
class Read final : public Job {
 public:
  Read(std::shared_ptr<Staging> staging, std::shared_ptr<DirectoryThread> directory, ReadLayout layout,
       ReadOptions options, std::unique_ptr<ReadListener> listener);
  ~Read() override;

  // Once, before anything else, on the JavaScript thread: puts the read behind what the orders of its device memory
  // name now. Where it fails, that is all: the read must not be started.
  [[nodiscard]] Status prepare();
  // Once, after that.
  void start();
  // Of the chunks that are dealt with.
  [[nodiscard]] uint64_t done_bytes() const { return done_bytes_.load(std::memory_order_relaxed); }

  [[nodiscard]] bool has_unclaimed() const override { return next_chunk_ < layout_.chunk_count() && !failed(); }
  Claim claim(bool may_take_blocks) override;
  void run(size_t item, Step step, Stager& stager) override;
  bool issue(IoRequest& request) override;
  void on_completed(IoRequest& request, int64_t result) override;

 private:
  struct Piece;
  struct File;

  // Pieces (read_pieces.cc).
  bool can_ask() const;
  Piece* next_piece(bool may_take_blocks);
  void ask_for(Piece& piece);
  void resume(Piece& piece);
  bool retry(Piece& piece, int64_t result);
  void land(Piece& piece, Staging& staging);
  void release(Piece& piece);
  uint64_t needed_bytes(const Piece& piece) const;

  // What becomes of the bytes (read_hand_out.cc).
  void hand_out(Piece& piece, Stager& stager);
  void finish(Piece& piece);
  Status hand_out_chunk(size_t chunk, const std::byte* bytes, bool in_place, Stager& stager);
  bool copy_and_hash(size_t chunk, const std::byte* bytes, Stager& stager);
  Status copy_out(size_t chunk, const std::byte* bytes, Stager& stager);
  Status flush_copies(Stager& stager);

  // Targets in device memory (read_device.cc).
  void add_device_copy(const TargetCopy& copy, Stager& stager);
  void ask_for_copies(Piece& piece, Stager& stager);
  void note_slower(const std::string& reason);
  void release_device();

  // Files and ends (read.cc).
  using FileTask = void (Read::*)(Directory&, size_t);
  void post(FileTask task, size_t file);
  void open_file(Directory& directory, size_t file);
  void close_file(Directory& directory, size_t file);
  void drop_waiting() override;
  void end(Status status) override;

  const std::shared_ptr<DirectoryThread> directory_;
  ReadLayout layout_;
  const ReadOptions options_;
  const std::unique_ptr<ReadListener> listener_;
  const std::chrono::steady_clock::time_point started_;

  std::unique_ptr<File[]> files_;
  std::unique_ptr<Piece[]> pieces_;
  // Empty where no target is device memory.
  Lanes lanes_;

  // Of the scheduler alone, under its lock.
  size_t next_chunk_ = 0;
  size_t next_file_ = 0;
  std::optional<ReadLayout::Span> next_span_;

  std::atomic<size_t> files_left_;
  std::atomic<uint64_t> done_bytes_{0};

  // Under the mutex: pieces that are free, that are asked for (a count), and that wait for a stager.
  RequestQueue free_;
  size_t asked_ = 0;
  RequestQueue landed_;
  ReadOutcome outcome_;
};

}  // namespace snapshard
