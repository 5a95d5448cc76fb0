// Reads into device memory, which is that of the double of the driver.
#include <thread>

#include "cuda_faults.h"
#include "read_rig.h"
#include "rig.h"
#include "test.h"

using snapshard::EngineChoice;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::SourceKind;
using snapshard::Status;
using snapshard::test::after_stream;
using snapshard::test::check_coded;
using snapshard::test::check_usable;
using snapshard::test::device_memory;
using snapshard::test::for_each_failing_call;
using snapshard::test::hang_driver;
using snapshard::test::make_read;
using snapshard::test::options_of;
using snapshard::test::Random;
using snapshard::test::random_read;
using snapshard::test::ReadPlan;
using snapshard::test::ReadPlanBuilder;
using snapshard::test::Rig;
using snapshard::test::RunningRead;
using snapshard::test::start_read;
using snapshard::test::tally;
using snapshard::test::Trainer;
using snapshard::test::with_nothing_lost;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const std::vector<SourceKind> kTargetKinds = {SourceKind::kCuda, SourceKind::kCuda, SourceKind::kCuda,
                                              SourceKind::kLease, SourceKind::kBuffer};

// Of a file of its own, one part of it to each kind of target.
ReadPlan mixed_read(const Rig& rig, Random& random) {
  ReadPlanBuilder builder(random, rig.folder());
  std::vector<uint32_t> targets;
  targets.reserve(kTargetKinds.size());
  for (const SourceKind kind : kTargetKinds) targets.push_back(builder.add_target(kind));
  builder.add_file("mixed", 5 * kMiB);
  for (const uint32_t target : targets) builder.add_run(kMiB - 100, target);
  builder.add_scattered(5000);
  return builder.finish();
}

RunningRead run(const Rig& rig, const std::shared_ptr<snapshard::Staging>& staging, ReadPlan plan) {
  auto expected = expectation_of(plan, rig.folder());
  RunningRead running = start_read(rig, staging, std::move(plan));
  running.expected = std::move(expected);
  return running;
}

void random_reads() {
  Random random(51);
  Rig rig;
  for (int round = 0; round < 60; ++round) {
    auto options = options_of(EngineChoice::kAuto, random.one_in(2), random.between(2, 5), 2 * kMiB);
    options.cuda_device = random.one_in(3) ? 0 : -1;
    const auto staging = rig.staging(options);
    const RunningRead running = run(rig, staging, random_read(random, rig.folder(), kTargetKinds));
    running.check();
    snapshard::test::check_pool(*staging);
    rig.engine()->remove(staging.get());
  }
}

// What the stream does with the memory comes before the bytes that are read.
void writing_waits_for_its_order() {
  Rig rig;
  Random random(52);
  Trainer trainer;
  void* stream = trainer.stream();
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 3, 2 * kMiB));
  ReadPlanBuilder builder(random, rig.folder());
  const uint32_t target = builder.add_target(SourceKind::kCuda);
  builder.add_file("ordered", 3 * kMiB);
  builder.add_run(3 * kMiB, target);
  ReadPlan plan = builder.finish();
  auto expected = expectation_of(plan, rig.folder());
  auto& cuda = plan.input.targets[target].cuda;
  cuda = device_memory(0, expected.targets[target]);
  cuda->order = after_stream(stream);
  trainer.hold(stream, true);
  const std::vector<std::byte> before(3 * kMiB, std::byte{3});
  trainer.write(cuda->pointer, before, stream);
  RunningRead running = start_read(rig, staging, std::move(plan));
  running.expected = std::move(expected);
  std::this_thread::sleep_for(milliseconds(30));
  CHECK_EQUAL(running.read->done_bytes(), 0U);
  trainer.hold(stream, false);
  running.check();
}

template <typename Arm>
void one_call_fails(Arm arm) {
  Rig rig;
  Random random(53);
  const auto staging = rig.staging(options_of(EngineChoice::kThreads, false, 3, 2 * kMiB));
  ReadPlan plan = mixed_read(rig, random);
  auto expected = expectation_of(plan, rig.folder());
  arm();
  RunningRead running = make_read(rig, staging, std::move(plan));
  running.expected = std::move(expected);
  const Status prepared = running.read->prepare();
  if (prepared.ok()) {
    running.read->start();
    const Status& status = running.outcome().status;
    status.ok() ? running.check() : check_coded(status);
  } else {
    check_coded(prepared);
  }
  check_usable(rig, staging);
}

void every_call_fails_once() {
  for_each_failing_call([](auto arm) { one_call_fails(arm); });
}

void aborts_at_any_time() {
  Random random(54);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4, 2 * kMiB));
  for (int round = 0; round < 100; ++round) {
    const RunningRead running = run(rig, staging, random_read(random, rig.folder(), kTargetKinds));
    std::this_thread::sleep_for(microseconds(random.up_to(6000)));
    running.abort();
    const Status& status = running.outcome().status;
    CHECK(status.ok() || status.kind() == Failure::kAborted);
    snapshard::test::check_pool(*staging);
  }
  check_usable(rig, staging);
}

void stop_gives_up_on_a_device_that_hangs() {
  Rig rig;
  Random random(55);
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 3, 2 * kMiB));
  ReadPlan plan = mixed_read(rig, random);
  const auto before = tally().copies;
  hang_driver(true);
  const RunningRead running = start_read(rig, staging, std::move(plan));
  for (int i = 0; i < 60000 && tally().copies == before; ++i) std::this_thread::sleep_for(milliseconds(1));
  running.abort();
  CHECK(!rig.stop(milliseconds(200)));
  hang_driver(false);
  CHECK(rig.stop(seconds(60)));
  running.check_failed(Failure::kAborted);
}

}  // namespace

TEST(random_reads_into_devices) { with_nothing_lost(random_reads); }
TEST(order) { with_nothing_lost(writing_waits_for_its_order); }
TEST(each_call_of_the_driver_fails) { with_nothing_lost(every_call_fails_once); }
TEST(aborts) { with_nothing_lost(aborts_at_any_time); }
TEST(a_hanging_device) { with_nothing_lost(stop_gives_up_on_a_device_that_hangs); }
