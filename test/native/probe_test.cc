// Probes over real files and memory.
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>

#include "faults.h"
#include "rig.h"
#include "test.h"
#include "transfer/file_probe.h"

using snapshard::CopyProbe;
using snapshard::EngineChoice;
using snapshard::Failure;
using snapshard::FileProbe;
using snapshard::IoOperation;
using snapshard::kMiB;
using snapshard::Probe;
using snapshard::ProbeListener;
using snapshard::ProbeOutcome;
using snapshard::Staging;
using snapshard::test::check_pool;
using snapshard::test::check_usable;
using snapshard::test::for_each_way;
using snapshard::test::options_of;
using snapshard::test::Rig;
using snapshard::test::with_no_descriptor_lost;
using std::chrono::seconds;

namespace {

constexpr uint64_t kPageBytes = 4096;

// What a probe told its listener.
class Watch {
 public:
  void ended(ProbeOutcome outcome) {
    const std::lock_guard lock(mutex_);
    CHECK(!outcome_);
    outcome_ = std::move(outcome);
    signal_.notify_all();
  }
  const ProbeOutcome& outcome() {
    std::unique_lock lock(mutex_);
    CHECK(signal_.wait_for(lock, seconds(60), [this] { return outcome_.has_value(); }));
    return *outcome_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable signal_;
  std::optional<ProbeOutcome> outcome_;
};

class Listener final : public ProbeListener {
 public:
  explicit Listener(std::shared_ptr<Watch> watch) : watch_(std::move(watch)) {}
  void on_ended(ProbeOutcome outcome) override { watch_->ended(std::move(outcome)); }

 private:
  const std::shared_ptr<Watch> watch_;
};

struct RunningProbe {
  std::shared_ptr<Probe> probe;
  std::shared_ptr<Watch> watch = std::make_shared<Watch>();

  [[nodiscard]] const ProbeOutcome& outcome() const { return watch->outcome(); }
  void abort() const { probe->fail(snapshard::Status::failure(Failure::kAborted, "aborted by the test")); }
};

RunningProbe start_file(const Rig& rig, const std::shared_ptr<Staging>& staging, IoOperation operation,
                        const std::string& name, uint64_t bytes = 0) {
  RunningProbe running;
  running.probe = std::make_shared<FileProbe>(staging, rig.directory(), FileProbe::Request{operation, name, bytes},
                                              std::make_unique<Listener>(running.watch));
  running.probe->start();
  return running;
}

RunningProbe start_copy(const std::shared_ptr<Staging>& staging, uint64_t bytes) {
  RunningProbe running;
  running.probe = std::make_shared<CopyProbe>(staging, bytes, std::make_unique<Listener>(running.watch));
  running.probe->start();
  return running;
}

// All that it was asked for, none of it zeros, no page like another.
void check_contents(const std::string& path, uint64_t bytes) {
  const std::vector<std::byte> contents = snapshard::test::read_whole(path);
  CHECK_EQUAL(contents.size(), bytes);
  std::set<std::vector<std::byte>> pages;
  for (uint64_t offset = 0; offset < bytes; offset += kPageBytes) {
    const uint64_t end = std::min(offset + kPageBytes, bytes);
    const std::vector<std::byte> page(contents.begin() + static_cast<int64_t>(offset),
                                      contents.begin() + static_cast<int64_t>(end));
    CHECK(page.size() < 64 || std::set(page.begin(), page.end()).size() > 16);
    CHECK(pages.insert(page).second);
  }
}

void written_and_read(EngineChoice engine, bool direct) {
  Rig rig;
  for (const uint64_t bytes : {uint64_t{1}, kMiB, 3 * kMiB + 5, 17 * kMiB}) {
    const auto staging = rig.staging(options_of(engine, direct, 4));
    const std::string name = "probe-" + std::to_string(bytes);
    const RunningProbe written = start_file(rig, staging, IoOperation::kWrite, name, bytes);
    CHECK_OK(written.outcome().status);
    check_contents(rig.folder().at(name), bytes);
    CHECK(written.outcome().moved_seconds > 0);
    CHECK(written.outcome().seconds >= written.outcome().moved_seconds);
    check_pool(*staging);
    const RunningProbe read = start_file(rig, staging, IoOperation::kRead, name);
    CHECK_OK(read.outcome().status);
    CHECK_EQUAL(read.outcome().bytes, bytes);
    CHECK_EQUAL(static_cast<int>(read.outcome().direct), static_cast<int>(written.outcome().direct));
    check_pool(*staging);
    rig.engine()->remove(staging.get());
  }
}

void deeper_than_the_file(EngineChoice engine, bool direct) {
  Rig rig;
  auto options = options_of(engine, direct, 16);
  options.queue_depth = 16;
  const auto staging = rig.staging(options);
  CHECK_OK(start_file(rig, staging, IoOperation::kWrite, "small", 2 * kMiB + 1).outcome().status);
  check_contents(rig.folder().at("small"), 2 * kMiB + 1);
  CHECK_OK(start_file(rig, staging, IoOperation::kRead, "small").outcome().status);
  check_usable(rig, staging);
}

void check_failed(const RunningProbe& running, Failure kind, int error) {
  CHECK_EQUAL(static_cast<int>(running.outcome().status.kind()), static_cast<int>(kind));
  CHECK_EQUAL(running.outcome().status.error(), error);
}

void refused(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 4));
  CHECK_OK(start_file(rig, staging, IoOperation::kWrite, "there", 5).outcome().status);
  check_failed(start_file(rig, staging, IoOperation::kWrite, "there", kMiB), Failure::kSystem, EEXIST);
  check_failed(start_file(rig, staging, IoOperation::kWrite, "a/b", kMiB), Failure::kSystem, ENOENT);
  check_failed(start_file(rig, staging, IoOperation::kRead, "missing"), Failure::kSystem, ENOENT);
  const RunningProbe huge = start_file(rig, staging, IoOperation::kWrite, "huge", uint64_t{1} << 52);
  CHECK(huge.outcome().status.kind() == Failure::kSystem);
  check_usable(rig, staging);
}

void nothing_to_move() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
  CHECK_OK(start_file(rig, staging, IoOperation::kWrite, "empty", 0).outcome().status);
  const RunningProbe read = start_file(rig, staging, IoOperation::kRead, "empty");
  CHECK_OK(read.outcome().status);
  CHECK_EQUAL(read.outcome().bytes, uint64_t{0});
}

void aborted(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 4));
  for (int round = 0; round < 12; ++round) {
    const RunningProbe running =
        start_file(rig, staging, IoOperation::kWrite, "aborted-" + std::to_string(round), 48 * kMiB);
    ::usleep(static_cast<useconds_t>(round * 1500));
    running.abort();
    const Failure kind = running.outcome().status.kind();
    CHECK(kind == Failure::kAborted || kind == Failure::kNone);
    (void)::unlink(rig.folder().at("aborted-" + std::to_string(round)).c_str());
  }
  check_usable(rig, staging);
}

// Two at once want more memory than there is.
void a_staging_that_is_not_its_own() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
  std::byte* taken = nullptr;
  CHECK(staging->pool().try_take(1, &taken));
  check_failed(start_file(rig, staging, IoOperation::kWrite, "more", 9 * kMiB), Failure::kArgument, 0);
  check_failed(start_copy(staging, 2 * kMiB), Failure::kArgument, 0);
  staging->pool().give_back(taken);
  check_usable(rig, staging);
}

void stopped_under_way() {
  for (const int wait_ms : {0, 1, 3, 10}) {
    Rig rig;
    const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
    const auto copying = rig.staging(options_of(EngineChoice::kThreads, false, 32));
    const RunningProbe written = start_file(rig, staging, IoOperation::kWrite, "stopped", 64 * kMiB);
    const RunningProbe copied = start_copy(copying, 16 * kMiB);
    ::usleep(static_cast<useconds_t>(wait_ms * 1000));
    CHECK(rig.stop(seconds(60)));
    for (const RunningProbe& running : {written, copied}) {
      const Failure kind = running.outcome().status.kind();
      CHECK(kind == Failure::kAborted || kind == Failure::kNone);
    }
  }
}

void memory_to_memory() {
  Rig rig;
  for (const unsigned threads : {1, 3}) {
    for (const uint64_t bytes : {uint64_t{1}, 2 * kMiB, 7 * kMiB + 3}) {
      const auto staging = rig.staging(options_of(EngineChoice::kThreads, false, 16, kMiB, threads));
      const RunningProbe running = start_copy(staging, bytes);
      CHECK_OK(running.outcome().status);
      CHECK_EQUAL(running.outcome().bytes, bytes);
      CHECK(running.outcome().seconds > 0);
      check_pool(*staging);
      rig.engine()->remove(staging.get());
    }
  }
}

void memory_aborted() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kThreads, false, 64));
  for (int round = 0; round < 12; ++round) {
    const RunningProbe running = start_copy(staging, 32 * kMiB);
    ::usleep(static_cast<useconds_t>(round * 1000));
    running.abort();
    const Failure kind = running.outcome().status.kind();
    CHECK(kind == Failure::kAborted || kind == Failure::kNone);
    check_pool(*staging);
  }
}

}  // namespace

TEST(files_written_and_read) { for_each_way(written_and_read); }
TEST(a_queue_deeper_than_the_file) { for_each_way(deeper_than_the_file); }
TEST(what_the_system_refuses) { for_each_way(refused); }
TEST(an_empty_file) { with_no_descriptor_lost(nothing_to_move); }
TEST(aborted_at_any_moment) { for_each_way(aborted); }
TEST(memory_that_others_use) { with_no_descriptor_lost(a_staging_that_is_not_its_own); }
TEST(the_engine_ends_meanwhile) { with_no_descriptor_lost(stopped_under_way); }
TEST(copies) { with_no_descriptor_lost(memory_to_memory); }
TEST(copies_aborted_at_any_moment) { with_no_descriptor_lost(memory_aborted); }
