// Transfers from devices that fail, or never answer, and transfers that are given up.
#include <thread>

#include "cuda_faults.h"
#include "rig.h"
#include "test.h"

using snapshard::EngineChoice;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::SourceKind;
using snapshard::Status;
using snapshard::TransferOptions;
using snapshard::test::all_kinds;
using snapshard::test::break_driver;
using snapshard::test::check_coded;
using snapshard::test::check_failed;
using snapshard::test::check_pool;
using snapshard::test::check_usable;
using snapshard::test::fail_driver;
using snapshard::test::for_each_failing_call;
using snapshard::test::hang_driver;
using snapshard::test::kIllegalAddress;
using snapshard::test::options_of;
using snapshard::test::Plan;
using snapshard::test::PlanBuilder;
using snapshard::test::Random;
using snapshard::test::random_plan;
using snapshard::test::Rig;
using snapshard::test::Running;
using snapshard::test::tally;
using snapshard::test::with_nothing_lost;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Bytes of the host, and of both devices, some in one piece and some scattered.
Plan mixed_plan(Rig& rig) {
  Random random(41);
  PlanBuilder builder(random, rig.folder());
  builder.add_file(4096);
  builder.add_slice(kMiB + 5, SourceKind::kCuda, 0, 0);
  builder.add_slice(1000, SourceKind::kBuffer);
  for (int i = 0; i < 6; ++i) builder.add_slice(5000, SourceKind::kCuda, 0, i % 2);
  return builder.finish();
}

template <typename Arm>
void one_call_fails(TransferOptions options, Arm arm) {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kThreads, false, 3));
  Plan plan = mixed_plan(rig);
  arm();
  Running running = rig.make(staging, std::move(plan), options);
  const Status prepared = running.transfer->prepare();
  if (prepared.ok()) {
    running.transfer->start();
    rig.open(running);
    const Status& status = running.outcome().status;
    status.ok() ? running.check() : check_coded(status);
  } else {
    check_coded(prepared);
  }
  check_usable(rig, staging);
}

void every_call_fails_once() {
  for (const TransferOptions options : {TransferOptions(), TransferOptions{false, true}}) {
    for_each_failing_call([options](auto arm) { one_call_fails(options, arm); });
  }
}

// Nothing can be had of it any more; what needs it fails, and the rest goes on.
void the_device_is_lost() {
  for (const bool snapshot : {false, true}) {
    Rig rig;
    const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 3));
    const Running running = rig.start(staging, mixed_plan(rig), TransferOptions{false, snapshot});
    const Running next = rig.start(staging, mixed_plan(rig), TransferOptions{false, snapshot});
    break_driver(kIllegalAddress);
    rig.open(running);
    rig.open(next);
    if (!running.outcome().status.ok()) check_coded(running.outcome().status);
    if (!next.outcome().status.ok()) check_coded(next.outcome().status);
    check_usable(rig, staging);
    break_driver(0);
  }
}

void aborts_at_any_time() {
  Random random(42);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
  for (int round = 0; round < 120; ++round) {
    Plan plan = random_plan(random, rig.folder(), all_kinds(), 8 * kMiB);
    const Running running = rig.start(staging, std::move(plan), TransferOptions{false, random.one_in(2)});
    if (!random.one_in(4)) rig.open(running);
    std::this_thread::sleep_for(microseconds(random.up_to(8000)));
    running.abort();
    const Status& status = running.outcome().status;
    CHECK(status.ok() || status.kind() == Failure::kAborted);
    check_pool(*staging);
    rig.remove_files(running);
  }
  check_usable(rig, staging);
}

void the_engine_ends_at_any_time() {
  Random random(43);
  for (int round = 0; round < 40; ++round) {
    Rig rig;
    const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 4));
    std::vector<Running> all;
    for (int i = 0; i < 3; ++i) {
      Plan plan = random_plan(random, rig.folder(), all_kinds(), 8 * kMiB);
      all.push_back(rig.start(staging, std::move(plan), TransferOptions{false, random.one_in(2)}));
      rig.open(all.back());
    }
    std::this_thread::sleep_for(microseconds(random.up_to(8000)));
    CHECK(rig.stop(seconds(60)));
    for (const Running& running : all) {
      const Status& status = running.outcome().status;
      CHECK(status.ok() || status.kind() == Failure::kAborted);
    }
  }
}

void stop_gives_up_on_a_device_that_hangs() {
  for (const bool snapshot : {false, true}) {
    Rig rig;
    const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 3));
    Plan plan = mixed_plan(rig);
    const auto before = tally().copies;
    hang_driver(true);
    const Running running = rig.start(staging, std::move(plan), TransferOptions{false, snapshot});
    rig.open(running);
    const Running behind = rig.start(staging, snapshard::test::plan_of(rig, 5, SourceKind::kShared));
    for (int i = 0; i < 60000 && tally().copies == before; ++i) std::this_thread::sleep_for(milliseconds(1));
    running.abort();
    const auto started = std::chrono::steady_clock::now();
    CHECK(!rig.stop(milliseconds(200)));
    CHECK(std::chrono::steady_clock::now() - started < seconds(30));
    CHECK(!running.watch->has_ended());
    hang_driver(false);
    CHECK(rig.stop(seconds(60)));
    check_failed(running, Failure::kAborted);
    CHECK(!behind.outcome().status.ok());
  }
}

}  // namespace

TEST(each_call_of_the_driver_fails) { with_nothing_lost(every_call_fails_once); }
TEST(a_lost_device) { with_nothing_lost(the_device_is_lost); }
TEST(aborts) { with_nothing_lost(aborts_at_any_time); }
TEST(ends) { with_nothing_lost(the_engine_ends_at_any_time); }
TEST(a_hanging_device) { with_nothing_lost(stop_gives_up_on_a_device_that_hangs); }
