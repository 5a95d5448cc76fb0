#include "read_rig.h"

#include <atomic>
#include <cstring>
#include <utility>

#include "test.h"

namespace snapshard::test {

namespace {

constexpr std::chrono::seconds kPatience(60);

class Listener final : public ReadListener {
 public:
  Listener(std::shared_ptr<ReadWatch> watch, std::vector<Target> targets, size_t copies)
      : watch_(std::move(watch)), targets_(std::move(targets)), copies_left_(copies) {}

  Status copy(std::span<const TargetCopy> copies) override {
    CHECK(!copies.empty());
    for (const TargetCopy& copy : copies) {
      CHECK(targets_[copy.target].kind == SourceKind::kBuffer);
      if (copies_left_.fetch_sub(1) == 0) return Status::failure(Failure::kTargetDetached, "gone");
      std::memcpy(targets_[copy.target].data + copy.to, copy.from, copy.bytes);
    }
    return {};
  }
  void on_ended(ReadOutcome outcome) override { watch_->ended(std::move(outcome)); }

 private:
  const std::shared_ptr<ReadWatch> watch_;
  const std::vector<Target> targets_;
  std::atomic<size_t> copies_left_;
};

}  // namespace

void ReadWatch::ended(ReadOutcome outcome) {
  const std::lock_guard lock(mutex_);
  ++ended_;
  outcome_ = std::move(outcome);
  signal_.notify_all();
}

const ReadOutcome& ReadWatch::wait_until_ended() {
  std::unique_lock lock(mutex_);
  CHECK(signal_.wait_for(lock, kPatience, [this] { return ended_ > 0; }));
  CHECK_EQUAL(ended_, 1);
  return *outcome_;
}

void RunningRead::check() const {
  CHECK_OK(outcome().status);
  CHECK_EQUAL(read->done_bytes(), expected.chunk_bytes);
  CHECK_EQUAL(outcome().digests.size(), hash ? expected.digests.size() : 0);
  for (size_t chunk = 0; chunk < outcome().digests.size(); ++chunk) {
    CHECK(outcome().digests[chunk] == expected.digests[chunk]);
  }
  for (size_t target = 0; target < targets.size(); ++target) {
    CHECK(std::memcmp(bytes_in(targets[target]), expected.targets[target].data(), targets[target].bytes) == 0);
  }
}

void RunningRead::check_failed(Failure kind, int error) const {
  const Status& status = outcome().status;
  if (status.kind() == kind && status.error() == error) return;
  fail(__FILE__, __LINE__, "it ended with: " + status.message());
}

RunningRead start_read(const Rig& rig, const std::shared_ptr<Staging>& staging, ReadPlan plan, ReadOptions options,
                       size_t copies) {
  RunningRead running = make_read(rig, staging, std::move(plan), options, copies);
  CHECK_OK(running.read->prepare());
  running.read->start();
  return running;
}

RunningRead make_read(const Rig& rig, const std::shared_ptr<Staging>& staging, ReadPlan plan, ReadOptions options,
                      size_t copies) {
  RunningRead running;
  running.hash = options.hash;
  running.targets = plan.input.targets;
  running.buffers = std::move(plan.buffers);
  running.watch = std::make_shared<ReadWatch>();
  ReadLayout layout;
  CHECK_OK(ReadLayout::create(std::move(plan.input), layout));
  auto listener = std::make_unique<Listener>(running.watch, running.targets, copies);
  running.read = std::make_shared<Read>(staging, rig.directory(), std::move(layout), options, std::move(listener));
  return running;
}

}  // namespace snapshard::test
