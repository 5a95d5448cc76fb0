// Transfers from device memory, which is that of the double of the driver.
#include <algorithm>
#include <cstring>
#include <thread>

#include "cuda_driver.h"
#include "cuda_rig.h"
#include "faults.h"
#include "reference.h"
#include "rig.h"
#include "test.h"

using snapshard::CudaMemory;
using snapshard::CudaOrder;
using snapshard::EngineChoice;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::LayoutInput;
using snapshard::Source;
using snapshard::SourceKind;
using snapshard::Staging;
using snapshard::StagingOptions;
using snapshard::TransferOptions;
using snapshard::test::after_event;
using snapshard::test::after_stream;
using snapshard::test::all_kinds;
using snapshard::test::bytes_of;
using snapshard::test::check_pool;
using snapshard::test::check_usable;
using snapshard::test::device_memory;
using snapshard::test::options_of;
using snapshard::test::Plan;
using snapshard::test::PlanBuilder;
using snapshard::test::Random;
using snapshard::test::random_plan;
using snapshard::test::Rig;
using snapshard::test::Running;
using snapshard::test::tally;
using snapshard::test::Trainer;
using snapshard::test::with_nothing_lost;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr TransferOptions kSnapshot{false, true};

// One file of one slice on each of these devices, in turn.
Plan device_plan(Rig& rig, const std::vector<int>& devices, uint64_t bytes, uint64_t seed = 1) {
  Random random(seed);
  PlanBuilder builder(random, rig.folder());
  builder.add_file(4096);
  for (const int device : devices) builder.add_slice(bytes, SourceKind::kCuda, 0, device);
  return builder.finish();
}

std::vector<std::shared_ptr<CudaMemory>> memories_of(const Plan& plan) {
  std::vector<std::shared_ptr<CudaMemory>> memories;
  for (const Source& source : plan.sources) {
    if (source.kind == SourceKind::kCuda) memories.push_back(source.cuda);
  }
  return memories;
}

// What a training loop does next.
void overwrite(const std::vector<std::shared_ptr<CudaMemory>>& memories) {
  for (const auto& memory : memories) std::fill_n(bytes_of(*memory), memory->bytes, std::byte{0x5A});
}

void wait_until_written(const Running& running, uint64_t bytes) {
  for (int i = 0; i < 60000 && running.transfer->written_bytes() < bytes; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  CHECK(running.transfer->written_bytes() >= bytes);
}

// Memory is overwritten as soon as `staged` allows it: a byte read later shows.
void random_mixes(bool snapshot) {
  Random random(snapshot ? 31 : 32);
  Rig rig;
  for (int round = 0; round < 60; ++round) {
    const auto threads = static_cast<unsigned>(random.between(1, 3));
    const uint64_t block_bytes = random.of(std::vector<uint64_t>{kMiB, 2 * kMiB, 4 * kMiB});
    StagingOptions options =
        options_of(EngineChoice::kAuto, random.one_in(2), random.between(2, 9), block_bytes, threads);
    options.cuda_device = random.one_in(3) ? 1 : -1;
    const auto staging = rig.staging(options);
    Plan plan = random_plan(random, rig.folder(), all_kinds(), 16 * kMiB);
    const auto memories = memories_of(plan);
    const bool in_place = random.one_in(3);
    const Running running = rig.start(staging, std::move(plan), TransferOptions{in_place, snapshot});
    rig.open(running);
    running.watch->wait_until_staged();
    overwrite(memories);
    running.check();
    CHECK_EQUAL(running.outcome().device_snapshot, snapshot && !memories.empty());
    CHECK_EQUAL(running.transfer->staged_bytes(), running.transfer->written_bytes());
    rig.remove_files(running);
    check_pool(*staging);
    rig.engine()->remove(staging.get());
  }
}

void the_pool_is_registered_once() {
  Rig rig;
  const auto before = tally();
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
  for (int round = 0; round < 3; ++round) rig.run(staging, device_plan(rig, {0, 1}, 3 * kMiB + 5));
  CHECK_EQUAL(tally().registrations, before.registrations + 1);
  CHECK_EQUAL(tally().unregistered_copies, before.unregistered_copies);
}

void a_pool_that_cannot_be_registered() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
  snapshard::test::fail_driver("cuMemHostRegister_v2", 1, 304);
  const Running running = rig.start(staging, device_plan(rig, {0}, 5 * kMiB));
  rig.open(running);
  running.check();
  CHECK(running.outcome().device_reason.find("cuMemHostRegister") != std::string::npos);
  snapshard::test::fail_driver(nullptr, 0, 0);
}

// The other device's bytes reach the disk while the first, whose come earlier in the file, does not answer.
void a_device_that_waits_holds_up_no_other() {
  Rig rig;
  Trainer trainer(1);
  void* stream = trainer.stream();
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 8));
  Plan plan = device_plan(rig, {1, 0}, 16 * kMiB);
  plan.sources[0].cuda->order = after_stream(stream);
  trainer.hold(stream, true);
  const std::vector<std::byte> late(plan.sources[0].bytes, std::byte{7});
  trainer.write(plan.sources[0].cuda->pointer, late, stream);
  std::copy_n(late.begin(), 16 * kMiB, plan.files[0].begin() + 4096);
  const Running running = rig.start(staging, std::move(plan));
  rig.open(running);
  wait_until_written(running, 14 * kMiB);
  CHECK(!running.watch->was_staged());
  trainer.hold(stream, false);
  running.check();
  check_pool(*staging);
}

// Each block of the file mixes both devices, in pools as small as can be.
void two_devices_in_a_tiny_pool() {
  for (const size_t blocks : {2, 3, 4}) {
    Rig rig;
    Random random(blocks);
    const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, blocks));
    PlanBuilder builder(random, rig.folder());
    for (int file = 0; file < 12; ++file) {
      builder.add_file(random.between(1, 5000));
      for (int slice = 0; slice < 12; ++slice) {
        const auto kind = random.one_in(4) ? SourceKind::kShared : SourceKind::kCuda;
        builder.add_slice(random.near(kMiB / 2, kMiB), kind, 0, slice % 2);
      }
    }
    rig.run(staging, builder.finish());
    check_pool(*staging);
  }
}

// `count` tensors of 4 KiB, which lie anywhere in one piece of memory.
Plan tiny_tensors(uint32_t count, const std::shared_ptr<CudaMemory>& memory) {
  constexpr uint64_t kBytes = 4096;
  Plan plan;
  plan.input.headers.emplace_back(kBytes);
  plan.input.file_slices.push_back(count);
  plan.files.push_back(plan.input.headers[0]);
  const std::byte* all = bytes_of(*memory);
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t offset = uint64_t{i} * 7919 % (memory->bytes / kBytes) * kBytes;
    plan.input.slice_bytes.push_back(kBytes);
    plan.input.segment_bytes.push_back(kBytes);
    plan.input.segment_source.push_back(i);
    plan.input.segment_offset.push_back(0);
    plan.files[0].insert(plan.files[0].end(), all + offset, all + offset + kBytes);
    Source source;
    source.kind = SourceKind::kCuda;
    source.cuda = memory->slice(offset, kBytes);
    source.bytes = kBytes;
    plan.sources.push_back(std::move(source));
  }
  return plan;
}

void many_tiny_tensors_take_few_calls() {
  constexpr uint32_t kTensors = 100'000;
  Rig rig;
  Random random(33);
  const auto memory = device_memory(0, random.bytes(64 * kMiB));
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 8, 4 * kMiB));
  Plan plan = tiny_tensors(kTensors, memory);
  const auto before = tally();
  rig.run(staging, std::move(plan));
  // About a hundred items; a call for each tensor would be a hundred thousand.
  CHECK(tally().calls - before.calls < 3000);
}

// All of it is one copy for each item where the tensors follow each other in memory as in the file.
void neighbours_are_copied_as_one() {
  Rig rig;
  Random random(34);
  const auto memory = device_memory(0, random.bytes(8 * kMiB));
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 8, 4 * kMiB));
  Plan plan = tiny_tensors(2048, memory);
  plan.files[0].resize(4096);
  for (uint32_t i = 0; i < 2048; ++i) plan.sources[i].cuda = memory->slice(uint64_t{i} * 4096, 4096);
  plan.files[0].insert(plan.files[0].end(), bytes_of(*memory), bytes_of(*memory) + memory->bytes);
  const auto before = tally();
  rig.run(staging, std::move(plan));
  CHECK(tally().copies - before.copies <= 6);
}

void order_of(CudaOrder order, Trainer& trainer, void* stream, const std::shared_ptr<CudaMemory>& memory,
              const std::vector<std::byte>& later, TransferOptions options) {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 3));
  Plan plan = device_plan(rig, {0}, later.size(), 9);
  plan.sources[0].cuda = memory;
  plan.sources[0].bytes = memory->bytes;
  memory->order = std::move(order);
  plan.files[0].resize(4096);
  plan.files[0].insert(plan.files[0].end(), later.begin(), later.end());
  const Running running = rig.start(staging, std::move(plan), options);
  rig.open(running);
  std::this_thread::sleep_for(milliseconds(30));
  CHECK(!running.watch->was_staged());
  trainer.hold(stream, false);
  running.check();
}

// What the stream was given before the save is in it, however late it is done.
void reading_waits_for_its_order() {
  for (const TransferOptions options : {TransferOptions(), kSnapshot}) {
    for (const bool by_event : {true, false}) {
      Trainer trainer;
      void* stream = trainer.stream();
      void* event = trainer.event();
      Random random(by_event ? 35 : 36);
      const std::vector<std::byte> later = random.bytes(5 * kMiB);
      const auto memory = device_memory(0, random.bytes(5 * kMiB));
      trainer.hold(stream, true);
      trainer.write(memory->pointer, later, stream);
      if (by_event) trainer.record(event, stream);
      order_of(by_event ? after_event(event) : after_stream(stream), trainer, stream, memory, later, options);
    }
  }
}

// `staged` comes although no block is written, and a pool of two blocks holds next to nothing.
void a_snapshot_is_all_that_staged_waits_for() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2));
  Plan plan = device_plan(rig, {0, 1, 0}, 9 * kMiB + 77);
  const auto memories = memories_of(plan);
  const auto before = tally();
  const Running running = rig.start(staging, std::move(plan), kSnapshot);
  running.watch->wait_until_staged();
  CHECK_EQUAL(tally().allocations, before.allocations + 2);
  overwrite(memories);
  CHECK(running.transfer->written_bytes() == 0);
  rig.open(running);
  running.check();
  CHECK(running.outcome().device_snapshot);
  CHECK_EQUAL(running.outcome().device_reason, "");
}

void no_memory_for_a_snapshot() {
  for (const int64_t nth : {1, 2}) {
    Rig rig;
    const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2));
    Plan plan = device_plan(rig, {0, 1}, 4 * kMiB);
    const auto memories = memories_of(plan);
    snapshard::test::fail_driver("cuMemAlloc_v2", nth, 2);
    const Running running = rig.start(staging, std::move(plan), kSnapshot);
    rig.open(running);
    running.watch->wait_until_staged();
    overwrite(memories);
    running.check();
    snapshard::test::fail_driver(nullptr, 0, 0);
    CHECK(!running.outcome().device_snapshot);
    CHECK(running.outcome().device_reason.find("too little free memory") != std::string::npos);
  }
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2));
  const Running running = rig.start(staging, snapshard::test::plan_of(rig, 100, SourceKind::kShared), kSnapshot);
  rig.open(running);
  running.check();
  CHECK(!running.outcome().device_reason.empty());
}

// Transfers behind it wait for a snapshot, and those of the host alone get through other stagings.
void transfers_in_a_row() {
  Rig rig;
  Random random(37);
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 3));
  std::vector<Running> all;
  for (int i = 0; i < 12; ++i) {
    Plan plan = random_plan(random, rig.folder(), all_kinds(), 8 * kMiB);
    all.push_back(rig.start(staging, std::move(plan), TransferOptions{random.one_in(4), random.one_in(2)}));
    rig.open(all.back());
  }
  for (const Running& running : all) running.check();
  check_pool(*staging);
}

}  // namespace

TEST(random_mixes_of_host_and_device) {
  with_nothing_lost([] { random_mixes(false); });
}
TEST(random_mixes_with_snapshots) {
  with_nothing_lost([] { random_mixes(true); });
}
TEST(registered_once) { with_nothing_lost(the_pool_is_registered_once); }
TEST(not_registered) { with_nothing_lost(a_pool_that_cannot_be_registered); }
TEST(a_waiting_device) { with_nothing_lost(a_device_that_waits_holds_up_no_other); }
TEST(tiny_pools) { with_nothing_lost(two_devices_in_a_tiny_pool); }
TEST(tiny_tensors_in_batches) { with_nothing_lost(many_tiny_tensors_take_few_calls); }
TEST(tiny_tensors_next_to_each_other) { with_nothing_lost(neighbours_are_copied_as_one); }
TEST(orders) { with_nothing_lost(reading_waits_for_its_order); }
TEST(snapshots) { with_nothing_lost(a_snapshot_is_all_that_staged_waits_for); }
TEST(snapshots_without_memory) { with_nothing_lost(no_memory_for_a_snapshot); }
TEST(one_after_the_other) { with_nothing_lost(transfers_in_a_row); }
