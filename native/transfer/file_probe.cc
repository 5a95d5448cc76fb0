#include "transfer/file_probe.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/sizes.h"
#include "transfer/engine.h"
#include "transfer/staging.h"

namespace snapshard {

namespace {

// Completions without progress after which a request counts as failed.
constexpr int kAttemptsMax = 100;
// No file system looks for copies of less.
constexpr uint64_t kPageBytes = 4096;

// As many as the queue takes, and no more than there is to write, or memory for.
size_t slots_for(const StagingOptions& options, const FileProbe::Request& request) {
  const uint64_t blocks = std::min<uint64_t>(options.queue_depth, options.staging_bytes / options.block_bytes);
  if (request.operation == IoOperation::kRead) return blocks;
  return std::min(blocks, divide_up(request.bytes, options.block_bytes));
}

}  // namespace

// One block under way.
struct FileProbe::Slot : IoRequest {
  std::byte* memory = nullptr;
  // Of the file.
  uint64_t begin = 0;
  uint64_t end = 0;
  int attempts = 0;
};

FileProbe::FileProbe(const std::shared_ptr<Staging>& staging, std::shared_ptr<DirectoryThread> directory,
                     Request request, std::unique_ptr<ProbeListener> listener)
    : Probe(request.operation == IoOperation::kWrite ? Kind::kWrite : Kind::kRead, staging,
            needs_of(staging->options(), request), std::move(listener)),
      directory_(std::move(directory)),
      request_(std::move(request)),
      slot_count_(slots_for(staging->options(), request_)),
      slots_(std::make_unique<Slot[]>(slot_count_)) {
  outcome_.bytes = request_.bytes;
}

// What is read need not be there before.
Probe::Needs FileProbe::needs_of(const StagingOptions& options, const Request& request) {
  const size_t slots = slots_for(options, request);
  return {slots, request.operation == IoOperation::kWrite ? slots : 0, 0};
}

FileProbe::~FileProbe() = default;

double FileProbe::cpu_seconds() { return staging_->engine().cpu_seconds() + directory_->cpu_seconds(); }

void FileProbe::begin() { post(&FileProbe::open_file); }

void FileProbe::post(FileTask task) {
  if (!try_begin_activity()) return;
  directory_->post([self = std::static_pointer_cast<FileProbe>(shared_from_this()), task](Directory* directory) {
    if (directory == nullptr) self->fail(Status::failure(Failure::kAborted, "the store was closed"));
    if (!self->failed()) (self.get()->*task)(*directory);
    self->end_activity();
  });
}

void FileProbe::open_file(Directory& directory) {
  Status status = open(directory);
  if (!status.ok()) return fail(std::move(status));
  block_count_ = divide_up(outcome_.bytes, staging_->options().block_bytes);
  blocks_left_ = block_count_;
  if (block_count_ == 0) return close_file(directory);
  for (size_t slot = 0; slot < slot_count_; ++slot) {
    slots_[slot].memory = block(slot);
    slots_[slot].operation = request_.operation;
    slots_[slot].listener = this;
    begin_activity();
    staging_->enqueue(slots_[slot]);
  }
}

Status FileProbe::open(Directory& directory) {
  const bool direct = staging_->options().direct;
  if (writes()) return output_.create(directory, request_.path, request_.bytes, direct);
  Status status = input_.open(directory, request_.path, true, direct);
  if (!status.ok()) return status;
  struct stat information {};
  if (::fstat(input_.fd(), &information) != 0) return Status::system(errno, "fstat", request_.path);
  outcome_.bytes = static_cast<uint64_t>(information.st_size);
  return {};
}

bool FileProbe::issue(IoRequest& request) {
  auto& slot = static_cast<Slot&>(request);
  if (failed() || !take_block(slot)) {
    end_activity();
    return false;
  }
  ask(slot, slot.begin);
  return true;
}

bool FileProbe::take_block(Slot& slot) {
  const size_t index = next_block_.fetch_add(1, std::memory_order_relaxed);
  if (index >= block_count_) return false;
  slot.begin = index * staging_->options().block_bytes;
  slot.end = std::min(slot.begin + staging_->options().block_bytes, outcome_.bytes);
  slot.attempts = 0;
  if (writes()) stamp(slot);
  return true;
}

// The number of each page of the file.
void FileProbe::stamp(Slot& slot) const {
  for (uint64_t offset = slot.begin; offset < slot.end; offset += kPageBytes) {
    const uint64_t number = offset / kPageBytes + 1;
    ::memcpy(slot.memory + (offset - slot.begin), &number, sizeof(number));
  }
}

// For what is missing of the block, from an offset that is aligned where it has to be.
void FileProbe::ask(Slot& slot, uint64_t from) {
  slot.fd = writes() ? output_.fd() : input_.fd();
  slot.buffered = !is_direct();
  slot.offset = from;
  slot.data = slot.memory + (from - slot.begin);
  const uint64_t end = slot.buffered ? slot.end : round_up(slot.end, rules().offset_alignment);
  slot.bytes = static_cast<uint32_t>(end - from);
  staging_->engine_for(slot.buffered || !rules().threads_reason.empty()).submit(&slot);
}

void FileProbe::on_completed(IoRequest& request, int64_t result) {
  const std::shared_ptr<Staging> staging = staging_;
  if (!failed() && goes_on(static_cast<Slot&>(request), result)) return;
  staging->request_ended();
  end_activity();
}

// Whether the slot is under way again.
bool FileProbe::goes_on(Slot& slot, int64_t result) {
  if (result == -EINVAL && !slot.buffered) {
    writes() ? output_.fall_back_to_buffered() : input_.fall_back_to_buffered();
    ask(slot, slot.begin);
    return true;
  }
  if (result == -EAGAIN || result == -EINTR) return ask_for_rest(slot, slot.offset);
  if (result < 0) return fail_with(static_cast<int>(-result));
  const uint64_t reached = slot.offset + static_cast<uint64_t>(result);
  // A file that ends earlier than it did.
  if (result == 0 && !writes()) return fail_with(ENODATA);
  if (reached < slot.end) return ask_for_rest(slot, reached);
  block_done();
  if (!take_block(slot)) return false;
  ask(slot, slot.begin);
  return true;
}

bool FileProbe::ask_for_rest(Slot& slot, uint64_t reached) {
  const uint64_t from = slot.buffered ? reached : round_down(reached, rules().offset_alignment);
  if (from == slot.offset && ++slot.attempts > kAttemptsMax) return fail_with(EIO);
  ask(slot, from);
  return true;
}

bool FileProbe::fail_with(int error) {
  fail(Status::system(error, writes() ? "write" : "read", request_.path));
  return false;
}

void FileProbe::block_done() {
  if (blocks_left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  outcome_.moved_seconds = elapsed_seconds();
  post(&FileProbe::close_file);
}

void FileProbe::close_file(Directory& directory) {
  const DirectRules found = rules();
  Status status = close(directory);
  if (!status.ok()) return fail(std::move(status));
  outcome_.direct = found.direct;
  outcome_.direct_reason = found.reason;
  outcome_.threads_reason = found.threads_reason;
  finish();
}

Status FileProbe::close(Directory& directory) {
  if (!writes()) {
    input_.close();
    return {};
  }
  Status status = output_.seal();
  return status.ok() ? directory.sync("") : status;
}

void FileProbe::end(Status status) {
  output_.abandon();
  input_.close();
  Probe::end(std::move(status));
}

}  // namespace snapshard
