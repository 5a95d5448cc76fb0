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
