// Files, and the ends of a read.
#include "transfer/read.h"

#include <algorithm>
#include <utility>

#include "transfer/engine.h"
#include "transfer/read_parts.h"
#include "transfer/staging.h"

namespace snapshard {

namespace {

// Files of one read that are open at once: the descriptor table stays small however many shards there are.
constexpr size_t kOpenFilesMax = 8;

// As many as the queue takes, some that wait for it, and as many that have landed and are being hashed.
size_t pieces_max(const StagingOptions& options) { return 2 * (size_t{options.queue_depth} + options.threads); }

}  // namespace

Read::Read(std::shared_ptr<Staging> staging, std::shared_ptr<DirectoryThread> directory, ReadLayout layout,
           ReadOptions options, std::unique_ptr<ReadListener> listener)
    : Job(Kind::kRead, std::move(staging)),
      directory_(std::move(directory)),
      layout_(std::move(layout)),
      options_(options),
      listener_(std::move(listener)),
      started_(std::chrono::steady_clock::now()),
      files_(std::make_unique<File[]>(layout_.files().size())),
      pieces_(std::make_unique<Piece[]>(pieces_max(staging_->options()))),
      files_left_(layout_.files().size()) {
  if (options_.hash) outcome_.digests.resize(layout_.chunk_count());
  for (size_t piece = 0; piece < pieces_max(staging_->options()); ++piece) free_.push(&pieces_[piece]);
  for (size_t file = 0; file < layout_.files().size(); ++file) {
    files_[file].chunks_left = layout_.files()[file].chunk_end - layout_.files()[file].chunk_begin;
  }
}

Read::~Read() = default;

void Read::start() {
  // Whoever called may be the only owner, and the read may end before this returns.
  const std::shared_ptr<Job> keep = shared_from_this();
  begin_life();
  for (size_t file = 0; file < std::min(kOpenFilesMax, layout_.files().size()); ++file) post(&Read::open_file, file);
  if (layout_.files().empty()) end_life();
}

void Read::post(FileTask task, size_t file) {
  if (!try_begin_activity()) return;
  directory_->post([self = std::static_pointer_cast<Read>(shared_from_this()), task, file](Directory* directory) {
    if (directory == nullptr) self->fail(Status::failure(Failure::kAborted, "the store was closed"));
    if (!self->failed()) (self.get()->*task)(*directory, file);
    self->end_activity();
  });
}

void Read::open_file(Directory& directory, size_t file) {
  Status status = files_[file].input.open(directory, layout_.path(layout_.files()[file]), options_.follow_links,
                                          staging_->options().direct);
  if (!status.ok()) return fail(std::move(status));
  {
    const std::lock_guard lock(mutex_);
    files_[file].open = true;
  }
  staging_->engine().notify();
}

void Read::close_file(Directory& directory, size_t file) {
  const DirectRules& rules = files_[file].input.rules();
  {
    const std::lock_guard lock(mutex_);
    if (!rules.threads_reason.empty()) outcome_.threads_reason = rules.threads_reason;
    const bool worse =
        rules.direct == Direct::kNo || (rules.direct == Direct::kUnknown && outcome_.direct_reason.empty());
    if (worse) {
      outcome_.direct = rules.direct;
      outcome_.direct_reason = rules.reason;
    }
  }
  files_[file].input.close();
  if (file + kOpenFilesMax < layout_.files().size()) open_file(directory, file + kOpenFilesMax);
  if (files_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) end_life();
}

void Read::drop_waiting() {
  RequestQueue dropped;
  {
    const std::lock_guard lock(mutex_);
    dropped.append(landed_);
  }
  while (IoRequest* request = dropped.pop()) release(static_cast<Piece&>(*request));
}

void Read::end(Status status) {
  for (size_t file = 0; file < layout_.files().size(); ++file) files_[file].input.close();
  release_device();
  outcome_.status = std::move(status);
  outcome_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  listener_->on_ended(std::move(outcome_));
}

}  // namespace snapshard
