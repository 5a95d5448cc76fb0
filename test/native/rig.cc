#include "rig.h"

#include <unistd.h>

#include <thread>
#include <utility>

#include "io/uring.h"
#include "test.h"

namespace snapshard::test {

namespace {

constexpr std::chrono::seconds kPatience(60);

class Listener final : public TransferListener {
 public:
  Listener(std::shared_ptr<Watch> watch, std::vector<const std::byte*> memory)
      : watch_(std::move(watch)), memory_(std::move(memory)) {}

  Status copy(uint32_t source, uint64_t offset, std::byte* destination, size_t bytes) override {
    std::copy_n(memory_[source] + offset, bytes, destination);
    return {};
  }
  void on_staged() override { watch_->staged(); }
  void on_ended(TransferOutcome outcome) override { watch_->ended(std::move(outcome)); }

 private:
  const std::shared_ptr<Watch> watch_;
  const std::vector<const std::byte*> memory_;
};

}  // namespace

void Watch::staged() {
  const std::lock_guard lock(mutex_);
  ++staged_;
  signal_.notify_all();
}

void Watch::ended(TransferOutcome outcome) {
  const std::lock_guard lock(mutex_);
  ++ended_;
  outcome_ = std::move(outcome);
  signal_.notify_all();
}

void Watch::wait_until_staged() {
  std::unique_lock lock(mutex_);
  CHECK(signal_.wait_for(lock, kPatience, [this] { return staged_ > 0; }));
}

const TransferOutcome& Watch::wait_until_ended() {
  std::unique_lock lock(mutex_);
  CHECK(signal_.wait_for(lock, kPatience, [this] { return ended_ > 0; }));
  CHECK_EQUAL(ended_, 1);
  CHECK(staged_ == 1 || (staged_ == 0 && !outcome_->status.ok()));
  return *outcome_;
}

bool Watch::has_ended() {
  const std::lock_guard lock(mutex_);
  return ended_ > 0;
}

bool Watch::was_staged() {
  const std::lock_guard lock(mutex_);
  return staged_ > 0;
}

Rig::Rig() {
  directory_->start();
  directory_->post([this](Directory* directory) {
    if (directory != nullptr) (void)directory->open(folder_.path());
  });
}

Rig::Rig(const std::string& parent) : folder_(parent) {
  directory_->start();
  directory_->post([this](Directory* directory) {
    if (directory != nullptr) (void)directory->open(folder_.path());
  });
}

Rig::~Rig() { (void)stop(kPatience); }

bool Rig::stop(std::chrono::milliseconds limit) {
  const bool engine_ended = engine_->stop(limit);
  return directory_->stop(limit) && engine_ended;
}

std::shared_ptr<Staging> Rig::staging(StagingOptions options) {
  std::shared_ptr<Staging> staging;
  const Status status = Staging::create(engine_, options, staging);
  if (options.engine == EngineChoice::kUring && !status.ok()) throw Skipped(describe_uring_failure(status));
  CHECK_OK(status);
  return staging;
}

Running Rig::start(const std::shared_ptr<Staging>& staging, Plan plan, bool in_place) {
  return start(staging, std::move(plan), TransferOptions{in_place});
}

Running Rig::start(const std::shared_ptr<Staging>& staging, Plan plan, TransferOptions options) {
  Running running = make(staging, std::move(plan), options);
  CHECK_OK(running.transfer->prepare());
  running.transfer->start();
  return running;
}

Running Rig::make(const std::shared_ptr<Staging>& staging, Plan plan, TransferOptions options) {
  Running running;
  running.expected = expectation_of(plan);
  running.buffers = std::move(plan.buffers);
  running.watch = std::make_shared<Watch>();
  const std::string prefix = "transfer-" + std::to_string(++transfers_) + "-";
  for (size_t file = 0; file < plan.files.size(); ++file) {
    running.names.push_back(prefix + std::to_string(file));
    running.paths.push_back(folder_.at(running.names.back()));
  }
  std::vector<const std::byte*> memory;
  for (const Source& source : plan.sources) memory.push_back(source.data);
  Layout layout;
  CHECK_OK(Layout::create(std::move(plan.input), staging->options().block_bytes, layout));
  auto listener = std::make_unique<Listener>(running.watch, std::move(memory));
  running.transfer =
      std::make_shared<Transfer>(staging, std::move(layout), std::move(plan.sources), options, std::move(listener));
  return running;
}

void Rig::open(const Running& running) { CHECK(running.transfer->open_files(directory_, running.names)); }

void Rig::run(const std::shared_ptr<Staging>& staging, Plan plan, bool in_place) {
  const Running running = start(staging, std::move(plan), in_place);
  open(running);
  running.check();
  CHECK_EQUAL(running.transfer->staged_bytes(), running.transfer->written_bytes());
  remove_files(running);
}

void Rig::remove_files(const Running& running) {
  for (const std::string& path : running.paths) (void)::unlink(path.c_str());
}

StagingOptions options_of(EngineChoice engine, bool direct, size_t blocks, uint64_t block_bytes, unsigned threads) {
  StagingOptions options;
  options.staging_bytes = blocks * block_bytes;
  options.block_bytes = block_bytes;
  options.queue_depth = 8;
  options.threads = threads;
  options.engine = engine;
  options.direct = direct;
  return options;
}

void check_pool(Staging& staging) {
  const size_t count = staging.options().staging_bytes / staging.options().block_bytes;
  std::vector<std::byte*> blocks(count);
  CHECK(staging.pool().try_take(count, blocks.data()));
  for (std::byte* block : blocks) staging.pool().give_back(block);
}

void with_no_descriptor_lost(void (*body)()) {
  const auto before = open_descriptors();
  body();
  const auto after = open_descriptors();
  for (const auto& [descriptor, target] : after) {
    if (before.count(descriptor) == 0) throw Failed("descriptor " + std::to_string(descriptor) + " left: " + target);
  }
}

}  // namespace snapshard::test
