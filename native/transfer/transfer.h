#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "codec/digest.h"
#include "io/directory_thread.h"
#include "io/output_file.h"
#include "transfer/item_order.h"
#include "transfer/job.h"
#include "transfer/lanes.h"
#include "transfer/layout.h"
#include "transfer/snapshot.h"
#include "transfer/source.h"
#include "transfer/trace.h"

namespace snapshard {

struct TransferOptions {
  // Blocks that lie whole in one aligned lease are written from where they are.
  bool in_place = false;
  // Memory of a device is copied within the device first, and that is all that `staged` waits for.
  bool device_snapshot = false;
  // Records what becomes of each block.
  bool trace = false;
};

struct TransferTimes {
  double staged_seconds = 0;
  double written_seconds = 0;
  double durable_seconds = 0;
};

struct TransferOutcome {
  Status status;
  std::vector<Digest> chunk_digests;
  std::vector<Digest> slice_digests;
  std::vector<Digest> file_digests;
  Direct direct = Direct::kYes;
  std::string direct_reason;
  // Why some file did not go through the ring, though direct; else empty.
  std::string threads_reason;
  // Whether a device snapshot was asked for, and taken.
  bool device_snapshot = false;
  // Why it was not taken, or why copies from a device were slower than they could be; else empty.
  std::string device_reason;
  TransferTimes times;
  Trace trace;
};

// Told, on some native thread, how a transfer goes.
class TransferListener : public SourceCopier {
 public:
  virtual void on_staged() = 0;
  // The last call: nothing of the transfer runs any more, its blocks are back in the pool, its files closed.
  virtual void on_ended(TransferOutcome outcome) = 0;
};

// One set of files on its way from sources to a device.
class Transfer final : public Job {
 public:
  Transfer(std::shared_ptr<Staging> staging, Layout layout, std::vector<Source> sources, TransferOptions options,
           std::unique_ptr<TransferListener> listener);
  ~Transfer() override;

  // Once, before anything else, on the JavaScript thread: puts the transfer behind what the orders of its device memory
  // name now. Where it fails, that is all: the transfer must not be started.
  [[nodiscard]] Status prepare();
  // Once, after that.
  void start();
  // Writing may begin. `paths` has one entry for each file. False when that was said before.
  bool open_files(std::shared_ptr<DirectoryThread> directory, std::vector<std::string> paths);

  [[nodiscard]] size_t file_count() const { return layout_.files().size(); }
  [[nodiscard]] uint64_t staged_bytes() const { return staged_bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t written_bytes() const { return written_bytes_.load(std::memory_order_relaxed); }

  [[nodiscard]] bool has_unclaimed() const override { return !order_.empty() && !failed(); }
  Claim claim(bool may_take_blocks) override;
  void run(size_t item, Step step, Stager& stager) override;
  bool issue(IoRequest& request) override;
  void on_completed(IoRequest& request, int64_t result) override;

 private:
  struct Block;
  struct File;
  struct Cursor;

  // Staging (transfer_stage.cc).
  void run_item(size_t item, Stager& stager);
  void run_check(size_t item, Stager& stager);
  bool wants_in_place(size_t file, size_t block) const;
  bool item_in_place(size_t file, size_t item) const;
  bool prepare_blocks(size_t item, size_t spare);
  Status stage_item(size_t file, size_t item, Stager& stager);
  void stage_header(size_t file, size_t item, Stager& stager);
  Status stage_chunk(const Layout::Chunk& chunk, Cursor& cursor, Stager& stager, Digest& digest);
  Status place_piece(Cursor& cursor, uint64_t offset, size_t bytes, Stager& stager, const std::byte** placed);
  Status recheck_chunk(const Layout::Chunk& chunk, Cursor& cursor, Stager& stager);
  void account(size_t block, uint64_t bytes);
  void account_item(size_t item, uint64_t staged, uint64_t spilled);
  void item_staged();
  void item_read();

  // Where it is asked for (transfer_trace.cc).
  void make_trace();
  [[nodiscard]] bool traces() const { return options_.trace; }
  [[nodiscard]] BlockTrace& trace_of(size_t block) { return outcome_.trace.blocks[block]; }
  void trace_gathered(size_t item, const Stager& stager);
  void trace_spilled(size_t item, uint64_t bytes);

  // Items that read device memory (transfer_device.cc): host bytes are copied and device bytes asked for in the first
  // step; once these have landed, the second one hashes all.
  void plan_device_items();
  void plan_segment(const Layout::File& place, size_t segment, std::vector<uint8_t>& queue_of_item);
  [[nodiscard]] bool reads_device(size_t item) const {
    return !item_reads_.empty() && (item_reads_[item] & kReadsDevice);
  }
  void run_device_item(size_t item, Stager& stager);
  Status gather(size_t item, Stager& stager);
  Status gather_piece(Cursor& cursor, uint64_t offset, uint64_t bytes, Stager& stager);
  [[nodiscard]] std::byte* place_of(const Layout::File& place, uint64_t offset) const;
  void ask_for_copies(size_t item, Stager& stager);
  void copies_landed(size_t item, Status status);
  void note_slower(const std::string& reason);
  void hash_item(size_t item, Stager& stager);
  Digest digest_in_blocks(const Layout::File& place, const Layout::Chunk& chunk, Stager& stager);
  void release_device();

  // The device snapshot (transfer_snapshot.cc).
  void ask_for_snapshot();
  void allocate_snapshot(size_t lane, bool cancelled);
  void decide_on_snapshot();
  void copy_snapshot(size_t lane, bool cancelled);
  void begin_items();
  [[nodiscard]] bool waits_for_reading(size_t item) const;

  // Writing (transfer_write.cc).
  void enqueue_or_park(Block& block);
  bool retry(Block& block, int64_t result);
  void submit(Block& block);
  void block_written(Block& block);
  void count_towards_checks(size_t file, size_t block);
  void release_block(Block& block);

  // Files and ends (transfer_files.cc).
  using FileTask = void (Transfer::*)(Directory&, size_t);
  void post(FileTask task, size_t file);
  void open_file(Directory& directory, size_t file);
  void seal_file(Directory& directory, size_t file);
  void flush_parked(size_t file);
  void part_done();
  void finish_digests();
  void end(Status status) override;
  [[nodiscard]] double elapsed_seconds() const;

  const Layout layout_;
  std::vector<Source> sources_;
  const TransferOptions options_;
  const std::unique_ptr<TransferListener> listener_;
  const std::chrono::steady_clock::time_point started_;

  std::unique_ptr<Block[]> blocks_;
  std::unique_ptr<File[]> files_;
  std::shared_ptr<DirectoryThread> directory_;

  // Empty where no source is device memory.
  Lanes lanes_;
  static constexpr uint8_t kReadsHost = 1;
  static constexpr uint8_t kReadsDevice = 2;
  // For each item, if there are lanes.
  std::vector<uint8_t> item_reads_;
  Snapshot snapshot_;
  std::atomic<size_t> allocations_left_{0};
  // Set before any item is begun.
  bool has_snapshot_ = false;

  // Under the scheduler's lock and the mutex.
  ItemOrder order_;

  std::atomic<size_t> items_left_;
  std::atomic<size_t> blocks_left_;
  // Files to seal and items to stage: the transfer is durable when all are done.
  std::atomic<size_t> parts_left_;
  std::atomic<uint64_t> staged_bytes_{0};
  std::atomic<uint64_t> written_bytes_{0};

  // Under the mutex.
  bool waits_for_snapshot_ = false;
  std::vector<size_t> checks_;
  std::deque<size_t> landed_;
  TransferOutcome outcome_;
};

}  // namespace snapshard
