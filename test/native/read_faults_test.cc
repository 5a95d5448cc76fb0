// Reads that fail: each with the status that says why, nothing left behind, and the next one whole.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "faults.h"
#include "read_rig.h"
#include "test.h"

using snapshard::EngineChoice;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::ReadOptions;
using snapshard::SourceKind;
using snapshard::Staging;
using snapshard::UniqueFd;
using snapshard::test::check_pool;
using snapshard::test::descriptor_of;
using snapshard::test::for_each_way;
using snapshard::test::options_of;
using snapshard::test::Random;
using snapshard::test::random_read;
using snapshard::test::ReadExpectation;
using snapshard::test::ReadPlan;
using snapshard::test::ReadPlanBuilder;
using snapshard::test::Rig;
using snapshard::test::RunningRead;
using snapshard::test::start_read;

namespace {

// One file, read as a whole into one target.
ReadPlan plan_of(const Rig& rig, const std::string& name, uint64_t bytes, SourceKind kind) {
  static Random random(1);
  ReadPlanBuilder builder(random, rig.folder());
  const uint32_t target = builder.add_target(kind);
  builder.add_file(name, bytes);
  builder.add_run(bytes, target);
  return builder.finish();
}

void check_next_read(const Rig& rig, const std::shared_ptr<Staging>& staging) {
  check_pool(*staging);
  ReadPlan plan = plan_of(rig, "whole", 5 * kMiB + 3, SourceKind::kLease);
  ReadExpectation expected = expectation_of(plan, rig.folder());
  RunningRead running = start_read(rig, staging, std::move(plan));
  running.expected = std::move(expected);
  running.check();
  check_pool(*staging);
}

void files_that_cannot_be_opened(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 2, 2 * kMiB));
  CHECK(::mkfifo(rig.folder().at("fifo").c_str(), 0600) == 0);
  CHECK(::mkdir(rig.folder().at("folder").c_str(), 0700) == 0);
  CHECK(::symlink("fifo", rig.folder().at("to-fifo").c_str()) == 0);
  CHECK(::symlink("nowhere", rig.folder().at("dangling").c_str()) == 0);
  const auto check_error = [&](const std::string& path, bool follow_links, int error) {
    ReadPlan plan = plan_of(rig, "there", 3 * kMiB, SourceKind::kShared);
    plan.input.paths = {path};
    const RunningRead running = start_read(rig, staging, std::move(plan), {true, follow_links});
    running.check_failed(Failure::kSystem, error);
    CHECK_EQUAL(running.outcome().status.path(), path);
  };
  for (const bool follow_links : {false, true}) {
    check_error("missing", follow_links, ENOENT);
    check_error("missing/file", follow_links, ENOENT);
    check_error("there/file", follow_links, ENOTDIR);
    check_error("../outside", follow_links, EXDEV);
    check_error("/etc/hostname", follow_links, EXDEV);
    check_error("fifo", follow_links, EINVAL);
    check_error("folder", follow_links, EINVAL);
  }
  check_error("to-fifo", true, EINVAL);
  check_error("dangling", true, ENOENT);
  check_error("to-fifo", false, ELOOP);
  check_next_read(rig, staging);
}

void links(EngineChoice engine, bool direct) {
  Rig rig;
  const snapshard::test::TemporaryDirectory elsewhere;
  const auto staging = rig.staging(options_of(engine, direct, 2, 2 * kMiB));
  const auto plan_through_link = [&](ReadExpectation& expected) {
    ReadPlan plan = plan_of(rig, "file", 3 * kMiB + 7, SourceKind::kLease);
    expected = expectation_of(plan, rig.folder());
    (void)::rename(rig.folder().at("file").c_str(), elsewhere.at("file").c_str());
    (void)::unlink(rig.folder().at("link").c_str());
    CHECK(::symlink(elsewhere.at("file").c_str(), rig.folder().at("link").c_str()) == 0);
    plan.input.paths = {"link"};
    return plan;
  };
  ReadExpectation expected;
  const RunningRead refused = start_read(rig, staging, plan_through_link(expected), {true, false});
  refused.check_failed(Failure::kSystem, ELOOP);
  RunningRead followed = start_read(rig, staging, plan_through_link(expected), {true, true});
  followed.expected = std::move(expected);
  followed.check();
}

void files_that_are_short(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3, 2 * kMiB));
  for (const SourceKind kind : {SourceKind::kLease, SourceKind::kShared, SourceKind::kBuffer}) {
    for (const uint64_t left : {uint64_t{0}, uint64_t{1}, 2 * kMiB, 3 * kMiB + 5, 6 * kMiB, 6 * kMiB + 99}) {
      ReadPlan plan = plan_of(rig, "short", 6 * kMiB + 100, kind);
      CHECK(::truncate(rig.folder().at("short").c_str(), static_cast<off_t>(left)) == 0);
      const RunningRead running = start_read(rig, staging, std::move(plan));
      running.check_failed(Failure::kSystem, ENODATA);
      CHECK_EQUAL(std::string(running.outcome().status.syscall()), "read");
      CHECK_EQUAL(running.outcome().status.path(), "short");
    }
  }
  check_next_read(rig, staging);
}

// Exactly the digest of the chunk with the wrong bit is another.
void files_that_are_damaged(EngineChoice engine, bool direct) {
  Random random(2);
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3, 2 * kMiB));
  for (int round = 0; round < 12; ++round) {
    ReadPlan plan = random_read(random, rig.folder(), {SourceKind::kLease, SourceKind::kBuffer});
    const size_t damaged = random.up_to(plan.input.chunk_file.size() - 1);
    const ReadExpectation expected = expectation_of(plan, rig.folder());
    const UniqueFd file(::open(rig.folder().at(plan.input.paths[plan.input.chunk_file[damaged]]).c_str(), O_RDWR));
    const auto at =
        static_cast<off_t>(plan.input.chunk_offset[damaged] + random.up_to(plan.input.chunk_bytes[damaged] - 1));
    unsigned char byte = 0;
    CHECK(::pread(file.get(), &byte, 1, at) == 1);
    byte = static_cast<unsigned char>(byte ^ (1U << random.up_to(7)));
    CHECK(::pwrite(file.get(), &byte, 1, at) == 1);
    const RunningRead running = start_read(rig, staging, std::move(plan));
    CHECK_OK(running.outcome().status);
    for (size_t chunk = 0; chunk < expected.digests.size(); ++chunk) {
      CHECK_EQUAL(running.outcome().digests[chunk] == expected.digests[chunk], chunk != damaged);
    }
  }
}

// Everything that was posted to the directory's thread so far is done.
void pass_directory(const Rig& rig) {
  std::promise<void> passed;
  rig.directory()->post([&passed](snapshard::Directory*) { passed.set_value(); });
  passed.get_future().wait();
}

// The descriptor is swapped for one that cannot be read there.
void reads_fail_with(EngineChoice engine, bool direct, const char* path, int flags, int error) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 2, 2 * kMiB));
  std::byte* blocks[2];
  // What goes to a buffer waits for a block.
  CHECK(staging->pool().try_take(2, blocks));
  const RunningRead running = start_read(rig, staging, plan_of(rig, "bad", 9 * kMiB, SourceKind::kBuffer));
  pass_directory(rig);
  const int descriptor = descriptor_of(rig.folder().at("bad"));
  CHECK(descriptor >= 0);
  const UniqueFd other(::open(path, flags));
  CHECK(::dup2(other.get(), descriptor) == descriptor);
  for (std::byte* block : blocks) staging->pool().give_back(block);
  rig.engine()->notify();
  running.check_failed(Failure::kSystem, error);
  CHECK_EQUAL(std::string(running.outcome().status.syscall()), "read");
  CHECK_EQUAL(running.outcome().status.path(), "bad");
  check_next_read(rig, staging);
}

void reads_that_fail(EngineChoice engine, bool direct) {
  reads_fail_with(engine, direct, "/dev/null", O_WRONLY, EBADF);
  // What is at its first addresses is no memory.
  reads_fail_with(engine, direct, "/proc/self/mem", O_RDONLY, EIO);
}

void targets_that_go(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3, 2 * kMiB));
  for (const size_t copies : {size_t{0}, size_t{3}}) {
    const RunningRead running =
        start_read(rig, staging, plan_of(rig, "file", 9 * kMiB + 1, SourceKind::kBuffer), {}, copies);
    running.check_failed(Failure::kTargetDetached);
    check_next_read(rig, staging);
  }
}

void aborts_at_any_moment(EngineChoice engine, bool direct) {
  Random random(engine == EngineChoice::kAuto ? 3 : 4);
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3, 2 * kMiB));
  for (int round = 0; round < 60; ++round) {
    ReadPlan plan = random_read(random, rig.folder(), {SourceKind::kLease, SourceKind::kBuffer, SourceKind::kShared});
    ReadExpectation expected = expectation_of(plan, rig.folder());
    RunningRead running = start_read(rig, staging, std::move(plan));
    running.expected = std::move(expected);
    std::this_thread::sleep_for(std::chrono::microseconds(random.up_to(4000)));
    running.abort();
    if (running.outcome().status.ok()) {
      running.check();
    } else {
      running.check_failed(Failure::kAborted);
    }
    check_pool(*staging);
  }
  check_next_read(rig, staging);
}

void directories_that_close_early(EngineChoice engine, bool direct) {
  Random random(5);
  for (int round = 0; round < 12; ++round) {
    Rig rig;
    const auto staging = rig.staging(options_of(engine, direct, 3, 2 * kMiB));
    ReadPlanBuilder builder(random, rig.folder());
    const uint32_t target = builder.add_target(SourceKind::kShared);
    for (int file = 0; file < 20; ++file) {
      builder.add_file("file-" + std::to_string(file), kMiB / 2);
      builder.add_run(kMiB / 2, target);
    }
    ReadPlan plan = builder.finish();
    ReadExpectation expected = expectation_of(plan, rig.folder());
    RunningRead running = start_read(rig, staging, std::move(plan));
    running.expected = std::move(expected);
    std::this_thread::sleep_for(std::chrono::microseconds(random.up_to(8000)));
    CHECK(rig.directory()->stop(std::chrono::seconds(60)));
    if (running.outcome().status.ok()) {
      running.check();
    } else {
      running.check_failed(Failure::kAborted);
    }
    check_pool(*staging);
  }
}

void engines_that_stop(EngineChoice engine, bool direct) {
  Random random(6);
  for (int round = 0; round < 12; ++round) {
    Rig rig;
    const auto staging = rig.staging(options_of(engine, direct, 3, 2 * kMiB));
    std::vector<RunningRead> all;
    for (int i = 0; i < 3; ++i) {
      const SourceKind kind = random.of(std::vector{SourceKind::kLease, SourceKind::kShared, SourceKind::kBuffer});
      all.push_back(start_read(rig, staging, plan_of(rig, "file-" + std::to_string(i), 12 * kMiB, kind)));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random.up_to(8000)));
    CHECK(rig.stop(std::chrono::seconds(60)));
    for (const RunningRead& running : all) {
      if (!running.outcome().status.ok()) running.check_failed(Failure::kAborted);
    }
    check_pool(*staging);
  }
}

}  // namespace

TEST(files_are_not_opened) { for_each_way(files_that_cannot_be_opened); }
TEST(symbolic_links) { for_each_way(links); }
TEST(files_end_early) { for_each_way(files_that_are_short); }
TEST(damage) { for_each_way(files_that_are_damaged); }
TEST(reads_fail) { for_each_way(reads_that_fail); }
TEST(targets_go) { for_each_way(targets_that_go); }
TEST(aborts) { for_each_way(aborts_at_any_moment); }
TEST(directories_close) { for_each_way(directories_that_close_early); }
TEST(engines_stop) { for_each_way(engines_that_stop); }
