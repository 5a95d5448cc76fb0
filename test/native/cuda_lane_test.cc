#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <numeric>
#include <thread>

#include "base/sizes.h"
#include "cuda_driver.h"
#include "device/cuda_lane.h"
#include "random.h"
#include "test.h"

using snapshard::CudaCopy;
using snapshard::CudaDevice;
using snapshard::CudaDirection;
using snapshard::CudaLane;
using snapshard::CudaOrder;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::Status;
using snapshard::test::device_bytes;
using snapshard::test::hang_driver;
using snapshard::test::LeakCheck;
using snapshard::test::Random;
using snapshard::test::tally;
using snapshard::test::Trainer;

namespace {

constexpr std::chrono::seconds kLong(60);

uint64_t address(const std::byte* data) { return reinterpret_cast<uint64_t>(data); }
snapshard::CudaHandle handle(void* pointer) { return reinterpret_cast<snapshard::CudaHandle>(pointer); }

// A lane that is stopped at the end.
struct TestLane {
  explicit TestLane(int ordinal = 0) {
    std::shared_ptr<CudaDevice> device;
    CHECK_OK(CudaDevice::open(ordinal, device));
    CHECK_OK(CudaLane::create(device, lane));
  }
  ~TestLane() { stop(); }
  TestLane(const TestLane&) = delete;
  TestLane& operator=(const TestLane&) = delete;

  bool stop() { return lane->stop(kLong); }
  CudaLane* operator->() const { return lane.get(); }
  std::future<Status> copy(CudaDirection direction, std::vector<CudaCopy> copies) const {
    auto promise = std::make_shared<std::promise<Status>>();
    lane->copy(direction, copies, [promise](Status status) { promise->set_value(std::move(status)); });
    return promise->get_future();
  }

  std::unique_ptr<CudaLane> lane;
};

bool same(uint64_t pointer, const std::vector<std::byte>& bytes) {
  return std::equal(bytes.begin(), bytes.end(), device_bytes(pointer));
}

bool waits(const std::future<Status>& future) {
  return future.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout;
}

}  // namespace

TEST(bytes_go_to_the_device_within_it_and_back) {
  const LeakCheck leaks;
  {
    Trainer trainer;
    const TestLane lane;
    Random random(1);
    const std::vector<std::byte> source = random.bytes(3 * kMiB + 5);
    std::vector<std::byte> target(source.size());
    const uint64_t first = trainer.allocate(source.size());
    const uint64_t second = trainer.allocate(source.size());
    auto there = lane.copy(CudaDirection::kToDevice, {{first, address(source.data()), source.size()}});
    auto within = lane.copy(CudaDirection::kWithinDevice, {{second, first, source.size()}});
    auto back = lane.copy(CudaDirection::kToHost, {{address(target.data()), second, source.size()}});
    CHECK_OK(back.get());
    CHECK(source == target);
    CHECK_OK(there.get());
    CHECK_OK(within.get());
  }
  leaks.check();
}

TEST(a_copy_waits_for_the_stream_of_its_order) {
  Trainer trainer;
  for (const unsigned flags : {0U, 1U}) {
    const TestLane lane;
    Random random(2);
    const std::vector<std::byte> fresh = random.bytes(kMiB);
    std::vector<std::byte> target(fresh.size());
    const uint64_t pointer = trainer.allocate(fresh.size());
    void* stream = trainer.stream(flags);
    trainer.hold(stream, true);
    trainer.write(pointer, fresh, stream);
    // A blocking stream is behind what the legacy stream waits for.
    CHECK_OK(lane->wait_for({CudaOrder::Kind::kStream, flags == 0 ? 0 : handle(stream), nullptr}));
    auto copied = lane.copy(CudaDirection::kToHost, {{address(target.data()), pointer, target.size()}});
    CHECK(waits(copied));
    trainer.hold(stream, false);
    CHECK_OK(copied.get());
    CHECK(target == fresh);
  }
}

TEST(a_copy_waits_for_an_event_as_it_stood_at_the_call) {
  Trainer trainer;
  const TestLane lane;
  Random random(3);
  const std::vector<std::byte> first = random.bytes(kMiB);
  const std::vector<std::byte> second = random.bytes(kMiB);
  std::vector<std::byte> target(first.size());
  const uint64_t pointer = trainer.allocate(first.size());
  void* stream = trainer.stream();
  void* other = trainer.stream();
  void* event = trainer.event();
  trainer.hold(stream, true);
  trainer.hold(other, true);
  trainer.write(pointer, first, stream);
  trainer.record(event, stream);
  CHECK_OK(lane->wait_for({CudaOrder::Kind::kEvent, handle(event), nullptr}));
  // Recorded again behind work that does not end: no matter to what was asked before.
  trainer.write(pointer, second, other);
  trainer.record(event, other);
  auto copied = lane.copy(CudaDirection::kToHost, {{address(target.data()), pointer, target.size()}});
  CHECK(waits(copied));
  trainer.hold(stream, false);
  CHECK_OK(copied.get());
  CHECK(target == first);
  trainer.hold(other, false);
  CHECK_OK(lane->wait_for({CudaOrder::Kind::kEvent, handle(event), nullptr}));
  CHECK_OK(lane.copy(CudaDirection::kToHost, {{address(target.data()), pointer, target.size()}}).get());
  CHECK(target == second);
}

TEST(a_handle_that_the_driver_does_not_know_is_its_error) {
  const TestLane lane;
  int stranger = 0;
  for (const CudaOrder::Kind kind : {CudaOrder::Kind::kStream, CudaOrder::Kind::kEvent}) {
    const Status status = lane->wait_for({kind, handle(&stranger), nullptr});
    CHECK(status.kind() == Failure::kCuda);
    CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_INVALID_HANDLE");
  }
}

TEST(copies_that_follow_each_other_are_made_as_one) {
  Trainer trainer;
  const TestLane lane;
  Random random(4);
  const std::vector<std::byte> source = random.bytes(kMiB);
  const uint64_t pointer = trainer.allocate(source.size());
  std::vector<CudaCopy> pieces;
  for (uint64_t at = 0; at < source.size(); at += 4096) {
    pieces.push_back({pointer + at, address(source.data()) + at, 4096});
    pieces.push_back({pointer + at + 4096, address(source.data()), 0});
  }
  const int64_t before = tally().copies;
  CHECK_OK(lane.copy(CudaDirection::kToDevice, pieces).get());
  CHECK_EQUAL(tally().copies, before + 1);
  CHECK(same(pointer, source));
}

TEST(many_copies_go_in_one_batch_where_the_driver_has_that) {
  Trainer trainer;
  const TestLane lane;
  Random random(5);
  constexpr uint64_t kBytes = 1000;
  constexpr uint64_t kCount = 300;
  const std::vector<std::byte> source = random.bytes(kBytes * kCount);
  std::vector<std::byte> target(source.size());
  const uint64_t pointer = trainer.allocate(source.size());
  std::vector<CudaCopy> there;
  std::vector<CudaCopy> back;
  // Each to the place of its mirror.
  for (uint64_t i = 0; i < kCount; ++i) {
    const uint64_t mirrored = (kCount - 1 - i) * kBytes;
    there.push_back({pointer + mirrored, address(source.data()) + i * kBytes, kBytes});
    back.push_back({address(target.data()) + i * kBytes, pointer + mirrored, kBytes});
  }
  const auto before = tally();
  CHECK_OK(lane.copy(CudaDirection::kToDevice, there).get());
  CHECK_OK(lane.copy(CudaDirection::kToHost, back).get());
  CHECK(source == target);
  const auto after = tally();
  CHECK_EQUAL(after.copies - before.copies, int64_t{2 * kCount});
  // Calls of the driver: those of the copies, and a few for each of the two.
  const bool batches = after.batches > before.batches;
  CHECK(batches == (after.calls - before.calls < 100));
  CHECK_EQUAL(after.batches - before.batches, batches ? 2 : 0);
}

TEST(a_batch_that_is_refused_goes_one_by_one) {
  Trainer trainer;
  const TestLane lane;
  Random random(6);
  const std::vector<std::byte> source = random.bytes(2 * kMiB);
  const uint64_t pointer = trainer.allocate(source.size());
  const std::vector<CudaCopy> halves = {{pointer + kMiB, address(source.data()) + kMiB, kMiB},
                                        {pointer, address(source.data()), kMiB}};
  for (const char* batch : {"cuMemcpyBatchAsync_v2", "cuMemcpyBatchAsync"}) {
    snapshard::test::fail_driver(batch, 0, 801);
    CHECK_OK(lane.copy(CudaDirection::kToDevice, halves).get());
    CHECK(same(pointer, source));
  }
  snapshard::test::fail_driver(nullptr, 0, 0);
}

TEST(allocations_side_by_side_are_copied_as_two) {
  Trainer trainer;
  const TestLane lane;
  Random random(7);
  const std::vector<std::byte> source = random.bytes(2 * kMiB);
  const uint64_t first = trainer.allocate(kMiB);
  const uint64_t second = trainer.allocate(kMiB);
  CHECK_EQUAL(second, first + kMiB);
  CHECK_OK(lane.copy(CudaDirection::kToDevice,
                     {{first, address(source.data()), kMiB}, {second, address(source.data()) + kMiB, kMiB}})
               .get());
  std::vector<std::byte> target(source.size());
  CHECK_OK(lane.copy(CudaDirection::kToHost,
                     {{address(target.data()), first, kMiB}, {address(target.data()) + kMiB, second, kMiB}})
               .get());
  CHECK(source == target);
}

TEST(a_wrong_copy_is_told_and_those_before_it_have_ended) {
  const LeakCheck leaks;
  {
    Trainer trainer;
    const TestLane lane;
    Random random(8);
    const std::vector<std::byte> source = random.bytes(kMiB);
    const uint64_t pointer = trainer.allocate(kMiB);
    const Status status = lane.copy(CudaDirection::kToDevice, {{pointer, address(source.data()), kMiB},
                                                               {pointer + 1, address(source.data()), kMiB}})
                              .get();
    CHECK(status.kind() == Failure::kCuda);
    CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_INVALID_VALUE");
    CHECK(same(pointer, source));
    CHECK_OK(lane.copy(CudaDirection::kToDevice, {{pointer, address(source.data()), kMiB}}).get());
  }
  leaks.check();
}

TEST(copies_of_nothing_and_tasks_keep_their_place) {
  Trainer trainer;
  const TestLane lane;
  Random random(9);
  const std::vector<std::byte> source = random.bytes(kMiB);
  const uint64_t pointer = trainer.allocate(kMiB);
  std::vector<int> order;
  const auto note = [&order](int number) { return [&order, number](const Status&) { order.push_back(number); }; };
  const std::vector<CudaCopy> some = {{pointer, address(source.data()), kMiB}};
  lane->copy(CudaDirection::kToDevice, some, note(1));
  lane->copy(CudaDirection::kToDevice, {}, note(2));
  lane->run([&order](bool cancelled) { order.push_back(cancelled ? -3 : 3); });
  lane->copy(CudaDirection::kToDevice, some, note(4));
  CHECK_OK(lane.copy(CudaDirection::kToDevice, some).get());
  CHECK((order == std::vector<int>{1, 2, 3, 4}));
}

TEST(stop_waits_for_copies_cancels_tasks_and_refuses_what_comes_later) {
  const LeakCheck leaks;
  {
    Trainer trainer;
    TestLane lane;
    Random random(10);
    const std::vector<std::byte> source = random.bytes(kMiB);
    const uint64_t pointer = trainer.allocate(kMiB);
    const std::vector<CudaCopy> copies = {{pointer, address(source.data()), kMiB}};
    hang_driver(true);
    auto copied = lane.copy(CudaDirection::kToDevice, copies);
    std::atomic<int> cancelled{0};
    lane->run([&cancelled](bool is_cancelled) { cancelled += is_cancelled ? 1 : 10; });
    CHECK(!lane->stop(std::chrono::milliseconds(20)));
    hang_driver(false);
    CHECK(lane.stop());
    CHECK_OK(copied.get());
    CHECK(same(pointer, source));
    lane->run([&cancelled](bool is_cancelled) { cancelled += is_cancelled ? 1 : 10; });
    CHECK_EQUAL(cancelled.load(), 2);
    CHECK(lane.copy(CudaDirection::kToDevice, copies).get().kind() == Failure::kClosed);
    CHECK(lane->wait_for({}).kind() == Failure::kClosed);
  }
  leaks.check();
}

TEST(many_callers_at_once) {
  const LeakCheck leaks;
  {
    Trainer trainer;
    const TestLane lane;
    Random random(11);
    const std::vector<std::byte> source = random.bytes(64 * 1024);
    const uint64_t pointer = trainer.allocate(4 * source.size());
    std::atomic<int> ended{0};
    std::vector<std::thread> callers;
    for (uint64_t caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&, to = pointer + caller * source.size()] {
        for (int i = 0; i < 50; ++i) {
          const std::vector<CudaCopy> copies = {{to, address(source.data()), source.size()}};
          lane->copy(CudaDirection::kToDevice, copies,
                     [&ended](const Status& status) { ended += status.ok() ? 1 : 1000; });
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    CHECK_OK(lane.copy(CudaDirection::kToDevice, {{pointer, address(source.data()), 1}}).get());
    CHECK_EQUAL(ended.load(), 200);
    for (uint64_t caller = 0; caller < 4; ++caller) CHECK(same(pointer + caller * source.size(), source));
  }
  leaks.check();
}
