// Whole reads of real files.
#include "transfer/read.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "cuda_rig.h"
#include "random.h"
#include "read_rig.h"
#include "test.h"

using snapshard::Direct;
using snapshard::EngineChoice;
using snapshard::kMiB;
using snapshard::ReadOptions;
using snapshard::SourceKind;
using snapshard::Staging;
using snapshard::StagingOptions;
using snapshard::test::all_kinds;
using snapshard::test::check_pool;
using snapshard::test::has_double;
using snapshard::test::options_of;
using snapshard::test::Random;
using snapshard::test::random_plan;
using snapshard::test::random_read;
using snapshard::test::ReadPlan;
using snapshard::test::ReadPlanBuilder;
using snapshard::test::Rig;
using snapshard::test::Running;
using snapshard::test::RunningRead;
using snapshard::test::start_read;
using snapshard::test::with_no_descriptor_lost;

namespace {

const std::vector<SourceKind>& memory_kinds() {
  static const std::vector<SourceKind> kKinds = [] {
    std::vector<SourceKind> all = {SourceKind::kBuffer, SourceKind::kShared, SourceKind::kLease, SourceKind::kLease};
    if (has_double()) all.insert(all.end(), {SourceKind::kCuda, SourceKind::kCuda});
    return all;
  }();
  return kKinds;
}

RunningRead run(const Rig& rig, const std::shared_ptr<Staging>& staging, ReadPlan plan, ReadOptions options = {}) {
  auto expected = expectation_of(plan, rig.folder());
  RunningRead running = start_read(rig, staging, std::move(plan), options);
  running.expected = std::move(expected);
  return running;
}

void random_reads(EngineChoice engine, bool direct, uint64_t seed) {
  Random random(seed);
  Rig rig;
  for (int round = 0; round < 30; ++round) {
    const uint64_t block_bytes = random.of(std::vector<uint64_t>{2 * kMiB, 2 * kMiB, 4 * kMiB});
    const auto threads = static_cast<unsigned>(random.between(1, 3));
    StagingOptions options = options_of(engine, direct, random.between(2, 5), block_bytes, threads);
    options.queue_depth = static_cast<unsigned>(random.between(1, 8));
    options.prefault = random.one_in(2);
    const auto staging = rig.staging(options);
    const ReadOptions how{!random.one_in(4), random.one_in(2)};
    const RunningRead running = run(rig, staging, random_read(random, rig.folder(), memory_kinds()), how);
    running.check();
    CHECK(running.outcome().read_bytes >= running.expected.chunk_bytes);
    if (!direct) CHECK(running.outcome().direct == Direct::kNo);
    check_pool(*staging);
    rig.engine()->remove(staging.get());
  }
}

// Reads and transfers, of several stagings, on pools that are too small for all: each goes on, and each is whole.
void reads_and_transfers_together() {
  Random random(21);
  Rig rig;
  const auto direct = rig.staging(options_of(EngineChoice::kAuto, true, 2, 2 * kMiB));
  const auto buffered = rig.staging(options_of(EngineChoice::kThreads, false, 2, 2 * kMiB));
  for (int round = 0; round < 4; ++round) {
    std::vector<Running> transfers;
    std::vector<RunningRead> reads;
    for (const auto& staging : {direct, buffered, direct, buffered}) {
      transfers.push_back(rig.start(staging, random_plan(random, rig.folder(), all_kinds(), 16 * kMiB)));
      rig.open(transfers.back());
      reads.push_back(run(rig, staging, random_read(random, rig.folder(), memory_kinds())));
      // The next one has files of the same names.
      reads.back().check();
    }
    for (const Running& running : transfers) running.check();
    for (const Running& running : transfers) rig.remove_files(running);
    check_pool(*direct);
    check_pool(*buffered);
  }
}

// An endless row of reads that take one block each does not keep a transfer from the two that it needs, nor it them.
void neither_starves_the_other() {
  Random random(22);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2, 2 * kMiB));
  snapshard::test::PlanBuilder transfer(random, rig.folder());
  transfer.add_file(5000);
  transfer.add_slice(24 * kMiB + 5, SourceKind::kShared);
  const Running running = rig.start(staging, transfer.finish());
  rig.open(running);
  ReadPlanBuilder builder(random, rig.folder());
  const uint32_t target = builder.add_target(SourceKind::kBuffer);
  builder.add_file("long", 24 * kMiB);
  builder.add_run(24 * kMiB, target);
  const RunningRead reading = run(rig, staging, builder.finish());
  reading.check();
  running.check();
  check_pool(*staging);
}

void more_files_than_are_open_at_once() {
  Random random(23);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2, 2 * kMiB));
  ReadPlanBuilder builder(random, rig.folder());
  const uint32_t target = builder.add_target(SourceKind::kLease);
  for (int file = 0; file < 40; ++file) {
    builder.add_file("small-" + std::to_string(file), random.between(1, 20'000));
    builder.skip_to(random.up_to(builder.left() - 1));
    builder.add_run(builder.left(), target);
  }
  run(rig, staging, builder.finish()).check();
}

// Straight into the lease, though no block is free; the rest of a run, and a small one, need one.
void long_runs_need_no_block() {
  Random random(24);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2, 2 * kMiB));
  std::byte* blocks[2];
  CHECK(staging->pool().try_take(2, blocks));
  ReadPlanBuilder builder(random, rig.folder());
  const uint32_t target = builder.add_target(SourceKind::kLease);
  builder.add_file("aligned", 9 * kMiB + 4096);
  builder.skip_to(4096);
  builder.add_run(9 * kMiB, target, 8192);
  RunningRead running = run(rig, staging, builder.finish());
  const bool straight = running.outcome().direct != Direct::kNo;
  running.check();
  CHECK(!straight || running.outcome().read_bytes == 9 * kMiB);
  for (std::byte* block : blocks) staging->pool().give_back(block);
}

void only_what_is_needed_is_read() {
  Random random(25);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2, 2 * kMiB));
  const auto read_bytes = [&](const std::vector<std::pair<uint64_t, uint64_t>>& chunks) {
    ReadPlanBuilder builder(random, rig.folder());
    const uint32_t target = builder.add_target(SourceKind::kLease);
    builder.add_file("large", 8 * kMiB);
    for (const auto& [offset, bytes] : chunks) {
      builder.skip_to(offset);
      builder.add_run(bytes, target);
    }
    const RunningRead running = run(rig, staging, builder.finish());
    running.check();
    if (running.outcome().direct == Direct::kNo) throw snapshard::test::Skipped("no direct reads here");
    return running.outcome().read_bytes;
  };
  CHECK_EQUAL(read_bytes({{5 * kMiB, 4096}}), 4096U);
  CHECK_EQUAL(read_bytes({{5 * kMiB + 1, 4095}}), 4096U);
  CHECK_EQUAL(read_bytes({{5 * kMiB + 1, 4096}}), 8192U);
  // Next to each other: together. Far apart: alone.
  CHECK_EQUAL(read_bytes({{4096, 100}, {8192, 100}}), 8192U);
  CHECK_EQUAL(read_bytes({{4096, 100}, {kMiB, 100}, {7 * kMiB, 100}}), 3U * 4096);
}

void nothing_to_read() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2, 2 * kMiB));
  run(rig, staging, ReadPlan()).check();
  ReadPlan unused;
  unused.input.paths = {"not there, and not asked for"};
  run(rig, staging, std::move(unused)).check();
}

}  // namespace

TEST(uring_direct) {
  with_no_descriptor_lost([] { random_reads(EngineChoice::kUring, true, 1); });
}
TEST(uring_asked_but_buffered) {
  with_no_descriptor_lost([] { random_reads(EngineChoice::kUring, false, 2); });
}
TEST(threads_direct) {
  with_no_descriptor_lost([] { random_reads(EngineChoice::kThreads, true, 3); });
}
TEST(threads_buffered) {
  with_no_descriptor_lost([] { random_reads(EngineChoice::kThreads, false, 4); });
}
TEST(transfers_at_the_same_time) { with_no_descriptor_lost(reads_and_transfers_together); }
TEST(fairness) { with_no_descriptor_lost(neither_starves_the_other); }
TEST(forty_files) { with_no_descriptor_lost(more_files_than_are_open_at_once); }
TEST(straight_into_leases) { with_no_descriptor_lost(long_runs_need_no_block); }
TEST(bytes_asked_for) { with_no_descriptor_lost(only_what_is_needed_is_read); }
TEST(no_chunk) { with_no_descriptor_lost(nothing_to_read); }

// Run under `deny pread64/4096=EINVAL`, which refuses what a direct read looks like.
TEST(direct_reads_that_are_refused_become_buffered) {
  Random random(26);
  Rig rig;
  snapshard::test::write_whole(rig.folder().at("probe"), random.bytes(8192));
  const snapshard::UniqueFd probe(::open(rig.folder().at("probe").c_str(), O_RDONLY));
  std::vector<std::byte> page(4096);
  if (::pread(probe.get(), page.data(), page.size(), 0) >= 0) {
    throw snapshard::test::Skipped("the kernel takes aligned reads");
  }
  const auto staging = rig.staging(options_of(EngineChoice::kThreads, true, 2, 2 * kMiB));
  const auto read = [&](uint64_t bytes) {
    ReadPlanBuilder builder(random, rig.folder());
    const uint32_t target = builder.add_target(SourceKind::kShared);
    builder.add_file("refused", bytes);
    builder.add_run(bytes, target);
    return run(rig, staging, builder.finish());
  };
  const RunningRead running = read(300'001);
  running.check();
  CHECK(running.outcome().direct == Direct::kNo);
  CHECK(running.outcome().direct_reason.find("refused a direct read") != std::string::npos);
  // One that is refused buffered too is an error.
  read(8192).check_failed(snapshard::Failure::kSystem, EINVAL);
  check_pool(*staging);
}
