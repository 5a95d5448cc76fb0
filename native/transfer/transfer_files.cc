// Files, and the ends of a transfer.
#include <algorithm>
#include <utility>

#include "transfer/engine.h"
#include "transfer/staging.h"
#include "transfer/transfer_parts.h"

namespace snapshard {

namespace {

// Files of one transfer that are open at once: the descriptor table stays small however many shards there are.
constexpr size_t kOpenFilesMax = 8;

}  // namespace

Transfer::Transfer(std::shared_ptr<Staging> staging, Layout layout, std::vector<Source> sources,
                   TransferOptions options, std::unique_ptr<TransferListener> listener)
    : Job(Kind::kWrite, std::move(staging)),
      layout_(std::move(layout)),
      sources_(std::move(sources)),
      options_(options),
      listener_(std::move(listener)),
      started_(std::chrono::steady_clock::now()),
      blocks_(std::make_unique<Block[]>(layout_.block_count())),
      files_(std::make_unique<File[]>(layout_.files().size())),
      order_(layout_.block_count()),
      items_left_(layout_.block_count()),
      blocks_left_(layout_.block_count()),
      parts_left_(layout_.block_count() + layout_.files().size()) {
  outcome_.chunk_digests.resize(layout_.chunk_count());
  if (traces()) make_trace();
  for (size_t file = 0; file < layout_.files().size(); ++file) {
    const Layout::File& place = layout_.files()[file];
    files_[file].blocks_left = place.block_end - place.block_begin;
    for (size_t block = place.block_begin; block < place.block_end; ++block) {
      blocks_[block].index = block;
      blocks_[block].file = file;
      blocks_[block].listener = this;
      blocks_[block].remaining = layout_.block_length(place, block);
      blocks_[block].check_waits = layout_.spills(file, block) ? 2 : 1;
    }
  }
}

Transfer::~Transfer() = default;

void Transfer::start() {
  // Whoever called may be the only owner, and the transfer may fail before this returns.
  const std::shared_ptr<Job> keep = shared_from_this();
  if (layout_.block_count() == 0) listener_->on_staged();
  waits_for_snapshot_ = options_.device_snapshot && !lanes_.empty();
  begin_life();
  if (waits_for_snapshot_) ask_for_snapshot();
}

bool Transfer::open_files(std::shared_ptr<DirectoryThread> directory, std::vector<std::string> paths) {
  if (directory_ != nullptr) return false;
  if (!try_begin_activity()) return true;
  directory_ = std::move(directory);
  for (size_t file = 0; file < paths.size(); ++file) files_[file].path = std::move(paths[file]);
  for (size_t file = 0; file < std::min(kOpenFilesMax, layout_.files().size()); ++file) {
    post(&Transfer::open_file, file);
  }
  if (layout_.files().empty()) end_life();
  end_activity();
  return true;
}

void Transfer::post(FileTask task, size_t file) {
  begin_activity();
  directory_->post([self = std::static_pointer_cast<Transfer>(shared_from_this()), task, file](Directory* directory) {
    if (directory == nullptr) self->fail(Status::failure(Failure::kAborted, "the store was closed"));
    if (!self->failed()) (self.get()->*task)(*directory, file);
    self->end_activity();
  });
}

void Transfer::open_file(Directory& directory, size_t file) {
  Status status =
      files_[file].output.create(directory, files_[file].path, layout_.files()[file].bytes, staging_->options().direct);
  if (!status.ok()) return fail(std::move(status));
  flush_parked(file);
}

void Transfer::flush_parked(size_t file) {
  RequestQueue waiting;
  {
    const std::lock_guard lock(mutex_);
    files_[file].open = true;
    waiting.append(files_[file].parked);
  }
  while (IoRequest* request = waiting.pop()) {
    begin_activity();
    staging_->enqueue(*request);
  }
}

void Transfer::seal_file(Directory& directory, size_t file) {
  const DirectRules rules = files_[file].output.rules();
  Status status = files_[file].output.seal();
  if (!status.ok()) return fail(std::move(status));
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
  if (file + kOpenFilesMax < layout_.files().size()) open_file(directory, file + kOpenFilesMax);
  part_done();
}

void Transfer::part_done() {
  if (parts_left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  finish_digests();
  {
    const std::lock_guard lock(mutex_);
    outcome_.times.durable_seconds = elapsed_seconds();
  }
  end_life();
}

void Transfer::finish_digests() {
  const auto digest_range = [this](size_t begin, size_t end) {
    return digest_of(outcome_.chunk_digests.data() + begin, (end - begin) * kDigestBytes);
  };
  outcome_.slice_digests.reserve(layout_.slice_count());
  for (size_t slice = 0; slice < layout_.slice_count(); ++slice) {
    outcome_.slice_digests.push_back(digest_range(layout_.slice_chunk_begin(slice), layout_.slice_chunk_end(slice)));
  }
  const std::vector<Layout::File>& files = layout_.files();
  for (size_t file = 0; file < files.size(); ++file) {
    const size_t end = file + 1 < files.size() ? files[file + 1].chunk_begin : layout_.chunk_count();
    outcome_.file_digests.push_back(digest_range(files[file].chunk_begin, end));
  }
}

void Transfer::end(Status status) {
  for (size_t block = 0; block < layout_.block_count(); ++block) release_block(blocks_[block]);
  for (size_t file = 0; file < layout_.files().size(); ++file) files_[file].output.abandon();
  release_device();
  outcome_.status = std::move(status);
  listener_->on_ended(std::move(outcome_));
}

double Transfer::elapsed_seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

}  // namespace snapshard
