// An engine, a directory and its thread, as the add-on sets them up, with no JavaScript.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/sizes.h"
#include "files.h"
#include "io/directory_thread.h"
#include "plan.h"
#include "transfer/engine.h"
#include "transfer/staging.h"
#include "transfer/transfer.h"

namespace snapshard::test {

// What a transfer told its listener.
class Watch {
 public:
  void staged();
  void ended(TransferOutcome outcome);

  // Both wait, for a minute at most.
  void wait_until_staged();
  const TransferOutcome& wait_until_ended();
  [[nodiscard]] bool has_ended();
  [[nodiscard]] bool was_staged();

 private:
  std::mutex mutex_;
  std::condition_variable signal_;
  int staged_ = 0;
  int ended_ = 0;
  std::optional<TransferOutcome> outcome_;
};

// One transfer under way.
struct Running {
  std::shared_ptr<Transfer> transfer;
  std::shared_ptr<Watch> watch;
  Expectation expected;
  std::vector<std::shared_ptr<std::vector<std::byte>>> buffers;
  // Relative, as handed to the directory; and absolute.
  std::vector<std::string> names;
  std::vector<std::string> paths;

  [[nodiscard]] const TransferOutcome& outcome() const { return watch->wait_until_ended(); }
  void check() const { check_outcome(expected, outcome(), paths); }
  void abort() const { transfer->fail(Status::failure(Failure::kAborted, "aborted by the test")); }
};

class Rig {
 public:
  Rig();
  explicit Rig(const std::string& parent);
  // Stops whatever is still under way.
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // Throws Skipped where the engine is not to be had.
  std::shared_ptr<Staging> staging(StagingOptions options);
  Running start(const std::shared_ptr<Staging>& staging, Plan plan, bool in_place = false);
  Running start(const std::shared_ptr<Staging>& staging, Plan plan, TransferOptions options);
  // Neither prepared nor started.
  Running make(const std::shared_ptr<Staging>& staging, Plan plan, TransferOptions options);
  void open(const Running& running);
  // start, open, wait, and compare.
  void run(const std::shared_ptr<Staging>& staging, Plan plan, bool in_place = false);
  void remove_files(const Running& running);
  // Stops engine and directory; false where that took longer.
  bool stop(std::chrono::milliseconds limit);

  [[nodiscard]] const TemporaryDirectory& folder() const { return folder_; }
  [[nodiscard]] const std::shared_ptr<Engine>& engine() const { return engine_; }
  [[nodiscard]] const std::shared_ptr<DirectoryThread>& directory() const { return directory_; }

 private:
  TemporaryDirectory folder_;
  std::shared_ptr<Engine> engine_ = std::make_shared<Engine>();
  std::shared_ptr<DirectoryThread> directory_ = std::make_shared<DirectoryThread>();
  int transfers_ = 0;
};

// A staging of a few blocks; `threads`: of stagers.
StagingOptions options_of(EngineChoice engine, bool direct, size_t blocks, uint64_t block_bytes = kMiB,
                          unsigned threads = 2);
// Every block is back in the pool.
void check_pool(Staging& staging);
// Runs the body, and compares the descriptors that were open before and after.
void with_no_descriptor_lost(void (*body)());

}  // namespace snapshard::test
