// What a transfer records of its blocks, where it is asked to.
#include "transfer/trace.h"

#include <algorithm>

#include "faults.h"
#include "random.h"
#include "rig.h"
#include "test.h"

using snapshard::BlockTrace;
using snapshard::EngineChoice;
using snapshard::Failure;
using snapshard::GatherClock;
using snapshard::kKiB;
using snapshard::kMiB;
using snapshard::SourceKind;
using snapshard::StagingOptions;
using snapshard::Trace;
using snapshard::TraceTime;
using snapshard::TransferOptions;
using snapshard::test::all_kinds;
using snapshard::test::for_each_way;
using snapshard::test::lease_plan;
using snapshard::test::options_of;
using snapshard::test::Plan;
using snapshard::test::plan_of;
using snapshard::test::PlanBuilder;
using snapshard::test::Random;
using snapshard::test::random_plan;
using snapshard::test::Rig;
using snapshard::test::Running;
using snapshard::test::with_no_descriptor_lost;

namespace {

constexpr TransferOptions kTraced{false, false, true};

// Every block of every file, once, in their order.
void check_blocks(const Running& running, uint64_t block_bytes) {
  const Trace& trace = running.outcome().trace;
  size_t next = 0;
  for (size_t file = 0; file < running.expected.files.size(); ++file) {
    const uint64_t bytes = running.expected.files[file].size();
    for (uint64_t offset = 0; offset < bytes; offset += block_bytes, ++next) {
      CHECK(next < trace.blocks.size());
      CHECK_EQUAL(trace.blocks[next].file, file);
      CHECK_EQUAL(trace.blocks[next].offset, offset);
      CHECK_EQUAL(trace.blocks[next].bytes, std::min(block_bytes, bytes - offset));
    }
  }
  CHECK_EQUAL(trace.blocks.size(), next);
}

void check_sums(const BlockTrace& block) {
  CHECK(block.copy >= 0 && block.hash >= 0);
  const TraceTime gathering = block.gather_end - block.gather_start;
  if (block.copy + block.hash <= gathering) return;
  // From a device: the copies land later, and the hashing comes after that.
  CHECK(block.copy >= gathering);
  CHECK(block.gather_start + block.copy + block.hash <= block.queued);
}

void check_times(const Running& running, unsigned threads) {
  const Trace& trace = running.outcome().trace;
  const double written_seconds = running.outcome().times.written_seconds;
  for (const BlockTrace& block : trace.blocks) {
    CHECK(block.thread < threads);
    CHECK(trace.started <= block.gather_start);
    CHECK(block.gather_start <= block.gather_end);
    CHECK(block.gather_end <= block.queued);
    CHECK(block.queued <= block.submitted);
    CHECK(block.submitted <= block.completed);
    CHECK(static_cast<double>(block.completed - trace.started) * 1e-9 <= written_seconds);
    check_sums(block);
  }
}

void random_plans(EngineChoice engine, bool direct) {
  Random random(direct ? 41 : 42);
  Rig rig;
  constexpr unsigned kThreadsMax = 3;
  for (int round = 0; round < 15; ++round) {
    const uint64_t block_bytes = random.of(std::vector<uint64_t>{kMiB, 2 * kMiB, 4 * kMiB});
    StagingOptions options = options_of(engine, direct, random.between(2, 9), block_bytes, kThreadsMax);
    options.queue_depth = static_cast<unsigned>(random.between(1, 8));
    const auto staging = rig.staging(options);
    const bool in_place = random.one_in(2);
    Plan plan = in_place ? lease_plan(random, rig.folder(), 8 * kMiB)
                         : random_plan(random, rig.folder(), all_kinds(), 16 * kMiB);
    const Running running = rig.start(staging, std::move(plan), TransferOptions{in_place, random.one_in(2), true});
    rig.open(running);
    running.check();
    check_blocks(running, block_bytes);
    check_times(running, kThreadsMax);
    rig.remove_files(running);
    rig.engine()->remove(staging.get());
  }
}

void nothing_unless_asked_for() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
  const Running running = rig.start(staging, plan_of(rig, 5 * kMiB, SourceKind::kShared));
  rig.open(running);
  running.check();
  CHECK(running.outcome().trace.blocks.empty());
}

// Two aligned blocks of a lease between a header that fills one, and a tail.
void what_is_in_place_is_not_copied() {
  Random random(43);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
  PlanBuilder builder(random, rig.folder());
  builder.add_file(kMiB);
  builder.add_slice(2 * kMiB + 5, SourceKind::kLease);
  const Running running = rig.start(staging, builder.finish(), TransferOptions{true, false, true});
  rig.open(running);
  running.check();
  const auto& blocks = running.outcome().trace.blocks;
  CHECK_EQUAL(blocks.size(), size_t{4});
  check_times(running, 2);
  for (const size_t in_place : {1, 2}) {
    CHECK_EQUAL(blocks[in_place].copy, TraceTime{0});
    CHECK(blocks[in_place].hash > 0);
  }
  CHECK(blocks[0].copy > 0 && blocks[0].hash > 0);
}

// The last block holds only the end of the chunk before.
void a_block_in_which_nothing_starts() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 8));
  const Running running = rig.start(staging, plan_of(rig, 3 * kMiB, SourceKind::kShared), kTraced);
  rig.open(running);
  running.check();
  const auto& blocks = running.outcome().trace.blocks;
  CHECK_EQUAL(blocks.size(), size_t{4});
  check_times(running, 2);
  CHECK_EQUAL(blocks[3].bytes, 4096U);
  CHECK_EQUAL(blocks[3].thread, blocks[2].thread);
  CHECK_EQUAL(blocks[3].gather_start, blocks[2].gather_end);
  CHECK_EQUAL(blocks[3].copy + blocks[3].hash, TraceTime{0});
}

// Recording goes on until the last request has landed.
void what_is_aborted_while_it_is_traced() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 3));
  for (int round = 0; round < 20; ++round) {
    const Running running = rig.start(staging, plan_of(rig, 9 * kMiB + 1, SourceKind::kShared), kTraced);
    if (round % 2 == 0) rig.open(running);
    while (!running.watch->has_ended() && running.transfer->staged_bytes() < static_cast<uint64_t>(round) * kMiB / 20) {
    }
    running.abort();
    const Failure kind = running.outcome().status.kind();
    CHECK(kind == Failure::kAborted || kind == Failure::kNone);
    rig.remove_files(running);
  }
}

// However small the pieces are, all time is told, and both kinds of it.
void small_pieces() {
  for (const uint64_t piece_bytes : {uint64_t{4}, 4 * kKiB, 100 * kKiB, 256 * kKiB}) {
    GatherClock clock;
    clock.begin(true);
    uint64_t spun = 0;
    const auto spin = [&spun] {
      const TraceTime until = snapshard::trace_now() + 20'000;
      while (snapshard::trace_now() < until) ++spun;
    };
    for (uint64_t bytes = 0, count = 0; bytes < 2 * kMiB && count < 200; bytes += piece_bytes, ++count) {
      clock.begin_piece(piece_bytes);
      spin();
      clock.copied();
      spin();
      clock.hashed();
    }
    BlockTrace block;
    clock.end(block);
    CHECK(block.copy > 0 && block.hash > 0);
    CHECK_EQUAL(block.copy + block.hash, block.gather_end - block.gather_start);
  }
}

void a_clock_that_is_off() {
  GatherClock clock;
  clock.begin(false);
  clock.begin_piece(kMiB);
  clock.copied();
  clock.hashed();
  clock.begin(true);
  BlockTrace block;
  clock.end(block);
  CHECK_EQUAL(block.copy + block.hash, TraceTime{0});
}

}  // namespace

TEST(random_plans_each_way) { for_each_way(random_plans); }
TEST(off) { with_no_descriptor_lost(nothing_unless_asked_for); }
TEST(in_place) { with_no_descriptor_lost(what_is_in_place_is_not_copied); }
TEST(spilled) { with_no_descriptor_lost(a_block_in_which_nothing_starts); }
TEST(aborted) { with_no_descriptor_lost(what_is_aborted_while_it_is_traced); }
TEST(clock_of_small_pieces) { small_pieces(); }
TEST(clock_that_is_off) { a_clock_that_is_off(); }
