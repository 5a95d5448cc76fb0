// Whole transfers over real files.
#include "transfer/transfer.h"

#include "random.h"
#include "rig.h"
#include "test.h"

using snapshard::Direct;
using snapshard::EngineChoice;
using snapshard::kMiB;
using snapshard::SourceKind;
using snapshard::Staging;
using snapshard::StagingOptions;
using snapshard::test::all_kinds;
using snapshard::test::check_pool;
using snapshard::test::lease_plan;
using snapshard::test::options_of;
using snapshard::test::Plan;
using snapshard::test::PlanBuilder;
using snapshard::test::Random;
using snapshard::test::random_plan;
using snapshard::test::Rig;
using snapshard::test::Running;
using snapshard::test::with_no_descriptor_lost;

namespace {

void random_plans(EngineChoice engine, bool direct, uint64_t seed) {
  Random random(seed);
  Rig rig;
  for (int round = 0; round < 30; ++round) {
    const uint64_t block_bytes = random.of(std::vector<uint64_t>{kMiB, kMiB, 2 * kMiB, 4 * kMiB});
    const auto threads = static_cast<unsigned>(random.between(1, 3));
    StagingOptions options = options_of(engine, direct, random.between(2, 5), block_bytes, threads);
    options.queue_depth = static_cast<unsigned>(random.between(1, 8));
    const auto staging = rig.staging(options);
    rig.run(staging, random_plan(random, rig.folder(), all_kinds(), 16 * kMiB));
    check_pool(*staging);
    rig.engine()->remove(staging.get());
  }
}

void random_plans_in_place(EngineChoice engine, bool direct, uint64_t seed) {
  Random random(seed);
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3));
  for (int round = 0; round < 40; ++round) {
    rig.run(staging, lease_plan(random, rig.folder(), 6 * kMiB), true);
    check_pool(*staging);
  }
}

// Stagings of all engines, transfers queued behind each other, files opened in the order that the add-on keeps.
void many_at_once() {
  Random random(7);
  Rig rig;
  std::vector<std::shared_ptr<Staging>> stagings;
  for (const bool direct : {true, false}) {
    stagings.push_back(rig.staging(options_of(EngineChoice::kAuto, direct, 2)));
    stagings.push_back(rig.staging(options_of(EngineChoice::kThreads, direct, 4, 2 * kMiB)));
  }
  for (int round = 0; round < 3; ++round) {
    std::vector<Running> all;
    for (int i = 0; i < 3; ++i) {
      for (const auto& staging : stagings) {
        const bool in_place = random.one_in(3);
        Plan plan = in_place ? lease_plan(random, rig.folder(), 4 * kMiB)
                             : random_plan(random, rig.folder(), all_kinds(), 8 * kMiB);
        all.push_back(rig.start(staging, std::move(plan), in_place));
      }
    }
    // Of each staging one after the other, all stagings side by side. Compared late: a block reused early shows.
    for (size_t i = 0; i < all.size(); ++i) {
      if (i >= stagings.size()) (void)all[i - stagings.size()].outcome();
      rig.open(all[i]);
    }
    for (const Running& running : all) running.check();
    for (const Running& running : all) rig.remove_files(running);
    for (const auto& staging : stagings) check_pool(*staging);
  }
}

void more_files_than_are_open_at_once() {
  Random random(8);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2));
  PlanBuilder builder(random, rig.folder());
  for (int file = 0; file < 40; ++file) {
    builder.add_file(random.between(1, 5000));
    if (file % 3 != 0) builder.add_slice(random.near(kMiB, kMiB), SourceKind::kBuffer);
    if (file % 5 == 0) builder.add_empty_slice();
  }
  const Running running = rig.start(staging, builder.finish());
  rig.open(running);
  running.check();
  check_pool(*staging);
}

void many_tiny_slices() {
  Random random(9);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2, kMiB, 3));
  PlanBuilder builder(random, rig.folder());
  builder.add_file(4096);
  for (int slice = 0; slice < 3000; ++slice) builder.add_slice(random.up_to(700), SourceKind::kShared);
  rig.run(staging, builder.finish());
}

void nothing_to_write() {
  Random random(10);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2));
  Running none = rig.start(staging, Plan());
  CHECK(none.watch->was_staged() && !none.watch->has_ended());
  rig.open(none);
  none.check();
  PlanBuilder builder(random, rig.folder());
  builder.add_file(1);
  builder.add_file(4097);
  builder.add_empty_slice();
  rig.run(staging, builder.finish());
  const Running aborted = rig.start(staging, Plan());
  aborted.abort();
  CHECK(!aborted.outcome().status.ok());
}

// The pool fills up before there is any file, and the rest follows when there is.
void staging_runs_ahead_of_the_files() {
  Random random(11);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
  PlanBuilder small(random, rig.folder());
  small.add_file(4096);
  small.add_slice(kMiB, SourceKind::kBuffer);
  const Running first = rig.start(staging, small.finish());
  PlanBuilder large(random, rig.folder());
  large.add_file(4096);
  large.add_slice(9 * kMiB, SourceKind::kBuffer);
  const Running second = rig.start(staging, large.finish());
  first.watch->wait_until_staged();
  CHECK(!first.watch->has_ended());
  CHECK(!second.watch->was_staged());
  rig.open(first);
  first.check();
  rig.open(second);
  second.check();
  CHECK(!second.transfer->open_files(rig.directory(), second.names));
  CHECK_EQUAL(static_cast<int>(second.outcome().direct), static_cast<int>(Direct::kYes));
}

}  // namespace

TEST(uring_direct) {
  with_no_descriptor_lost([] { random_plans(EngineChoice::kUring, true, 1); });
}
TEST(uring_asked_but_buffered) {
  with_no_descriptor_lost([] { random_plans(EngineChoice::kUring, false, 2); });
}
TEST(threads_direct) {
  with_no_descriptor_lost([] { random_plans(EngineChoice::kThreads, true, 3); });
}
TEST(threads_buffered) {
  with_no_descriptor_lost([] { random_plans(EngineChoice::kThreads, false, 4); });
}
TEST(uring_in_place) {
  with_no_descriptor_lost([] { random_plans_in_place(EngineChoice::kUring, true, 5); });
}
TEST(threads_in_place) {
  with_no_descriptor_lost([] { random_plans_in_place(EngineChoice::kThreads, true, 6); });
}
TEST(buffered_in_place) {
  with_no_descriptor_lost([] { random_plans_in_place(EngineChoice::kThreads, false, 12); });
}
TEST(many_stagings_and_transfers_at_once) { with_no_descriptor_lost(many_at_once); }
TEST(forty_files) { with_no_descriptor_lost(more_files_than_are_open_at_once); }
TEST(thousands_of_slices) { with_no_descriptor_lost(many_tiny_slices); }
TEST(no_file_and_no_slice) { with_no_descriptor_lost(nothing_to_write); }
TEST(staging_before_the_files_are_there) { with_no_descriptor_lost(staging_runs_ahead_of_the_files); }
