#pragma once

#include <memory>
#include <string>

#include "io/directory_thread.h"
#include "io/input_file.h"
#include "io/output_file.h"
#include "transfer/probe.h"

namespace snapshard {

struct StagingOptions;

// Writes a file, which must not exist, once, from a few blocks of random bytes, and makes it and its directory durable;
// or reads a whole file into them. As a save or a restore does it, block by block, so many in flight as the queue
// takes, but nothing is copied or hashed.
//
// No two pages of what is written are alike: a file system that finds copies, or zeros, gains nothing.
class FileProbe final : public Probe {
 public:
  struct Request {
    IoOperation operation = IoOperation::kWrite;
    // The name of a file in the directory itself.
    std::string path;
    // To write.
    uint64_t bytes = 0;
  };

  FileProbe(const std::shared_ptr<Staging>& staging, std::shared_ptr<DirectoryThread> directory, Request request,
            std::unique_ptr<ProbeListener> listener);
  ~FileProbe() override;

  bool issue(IoRequest& request) override;
  void on_completed(IoRequest& request, int64_t result) override;

 private:
  struct Slot;
  using FileTask = void (FileProbe::*)(Directory&);

  static Needs needs_of(const StagingOptions& options, const Request& request);
  double cpu_seconds() override;
  void begin() override;
  void run_piece(size_t /*piece*/) override {}
  void post(FileTask task);
  void open_file(Directory& directory);
  Status open(Directory& directory);
  void close_file(Directory& directory);
  Status close(Directory& directory);
  bool take_block(Slot& slot);
  void stamp(Slot& slot) const;
  void ask(Slot& slot, uint64_t from);
  bool goes_on(Slot& slot, int64_t result);
  bool ask_for_rest(Slot& slot, uint64_t reached);
  bool fail_with(int error);
  void block_done();
  void end(Status status) override;

  [[nodiscard]] bool writes() const { return request_.operation == IoOperation::kWrite; }
  [[nodiscard]] bool is_direct() const { return writes() ? output_.direct() : input_.direct(); }
  [[nodiscard]] const DirectRules& rules() const { return writes() ? output_.rules() : input_.rules(); }

  const std::shared_ptr<DirectoryThread> directory_;
  const Request request_;
  const size_t slot_count_;
  std::unique_ptr<Slot[]> slots_;
  OutputFile output_;
  InputFile input_;
  size_t block_count_ = 0;
  std::atomic<size_t> next_block_{0};
  std::atomic<size_t> blocks_left_{0};
};

}  // namespace snapshard
