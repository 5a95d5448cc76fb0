#include <algorithm>
#include <future>
#include <mutex>

#include "base/sizes.h"
#include "cuda_driver.h"
#include "device/cuda_lane.h"
#include "device/cuda_memory.h"
#include "random.h"
#include "test.h"

using snapshard::CudaCopy;
using snapshard::CudaDevice;
using snapshard::CudaDirection;
using snapshard::CudaLane;
using snapshard::CudaMemory;
using snapshard::CudaPinned;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::Status;
using snapshard::test::break_driver;
using snapshard::test::driver_function;
using snapshard::test::fail_driver;
using snapshard::test::LeakCheck;
using snapshard::test::Random;

namespace {

constexpr std::chrono::seconds kLong(60);
constexpr int kLaunchFailed = 719;

const char* const kFunctions[] = {
    "cuDeviceGet",
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxPushCurrent_v2",
    "cuCtxPopCurrent_v2",
    "cuMemAlloc_v2",
    "cuMemFree_v2",
    "cuMemHostRegister_v2",
    "cuMemHostUnregister",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemcpyDtoDAsync_v2",
    "cuMemcpyBatchAsync",
    "cuMemcpyBatchAsync_v2",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventRecord",
    "cuEventSynchronize",
};

// Everything that a save and a read ask of a device, in one go. Each `done` must come once, and not before its bytes
// are at rest: `host` is taken away when the last has come.
struct Round {
  std::vector<std::byte> source;
  std::vector<std::byte> target;
  std::unique_ptr<CudaLane> lane;
  std::shared_ptr<CudaMemory> first;
  std::shared_ptr<CudaMemory> second;
  std::mutex mutex;
  std::vector<int> calls;
  Status status;

  void note(const Status& next) {
    const std::lock_guard lock(mutex);
    if (status.ok()) status = next;
  }
  void copy(CudaDirection direction, const std::vector<CudaCopy>& copies) {
    const size_t call = calls.size();
    calls.push_back(0);
    lane->copy(direction, copies, [this, call](const Status& ended) {
      ++calls[call];
      note(ended);
    });
  }
  Status prepare() {
    std::shared_ptr<CudaDevice> device;
    if (Status opened = CudaDevice::open(0, device); !opened.ok()) return opened;
    if (Status allocated = CudaMemory::allocate(0, source.size(), first); !allocated.ok()) return allocated;
    if (Status allocated = CudaMemory::allocate(0, source.size(), second); !allocated.ok()) return allocated;
    return CudaLane::create(device, lane);
  }
  void run();
};

// The second half first, so that nothing merges.
std::vector<CudaCopy> in_halves(uint64_t to, uint64_t from, uint64_t bytes) {
  const uint64_t half = bytes / 2;
  return {{to + half, from + half, bytes - half}, {to, from, half}};
}

void Round::run() {
  note(prepare());
  if (lane == nullptr) return;
  calls.reserve(8);
  std::unique_ptr<CudaPinned> pinned;
  note(CudaPinned::create(first->device, source.data(), source.size(), pinned));
  const auto from = reinterpret_cast<uint64_t>(source.data());
  const auto to = reinterpret_cast<uint64_t>(target.data());
  note(lane->wait_for({}));
  copy(CudaDirection::kToDevice, {{first->pointer, from, source.size()}});
  copy(CudaDirection::kWithinDevice, {{second->pointer, first->pointer, source.size()}});
  copy(CudaDirection::kToHost, {{to, second->pointer, source.size()}});
  copy(CudaDirection::kToDevice, in_halves(first->pointer, from, source.size()));
  copy(CudaDirection::kToHost, in_halves(to, first->pointer, source.size()));
  CHECK(lane->stop(kLong));
  for (const int count : calls) CHECK_EQUAL(count, 1);
}

Status run_round(bool& same) {
  Random random(1);
  Round round;
  round.source = random.bytes(kMiB);
  round.target.resize(kMiB);
  round.run();
  same = round.source == round.target;
  return round.status;
}

bool was_reached() { return driver_function<int>("cuda_double_failed")() != 0; }

}  // namespace

TEST(every_call_fails_once_and_nothing_leaks) {
  const LeakCheck leaks;
  bool same = false;
  CHECK_OK(run_round(same));
  CHECK(same);
  leaks.check();
  int failures = 0;
  for (const char* function : kFunctions) {
    for (int64_t nth = 1; nth < 100; ++nth) {
      fail_driver(function, nth, kLaunchFailed);
      const Status status = run_round(same);
      const bool reached = was_reached();
      fail_driver(nullptr, 0, 0);
      if (!reached) break;
      ++failures;
      // What is over may fail unseen; what is wrong is told.
      CHECK(same || !status.ok());
      if (!status.ok()) {
        CHECK(status.kind() == Failure::kCuda);
        CHECK_EQUAL(status.error(), kLaunchFailed);
      }
      leaks.check();
    }
  }
  CHECK(failures > 40);
}

TEST(an_error_that_a_failing_call_left_is_told) {
  bool same = false;
  for (const char* function : {"cuMemcpyDtoHAsync_v2", "cuEventRecord", "cuEventSynchronize", "cuStreamWaitEvent",
                               "cuEventCreate", "cuMemAlloc_v2", "cuStreamCreate", "cuMemHostRegister_v2"}) {
    fail_driver(function, 1, kLaunchFailed);
    const Status status = run_round(same);
    fail_driver(nullptr, 0, 0);
    CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_719");
    CHECK(std::string(function).starts_with(status.syscall()));
  }
}

TEST(a_lost_device_ends_everything_with_its_error) {
  const LeakCheck leaks;
  {
    std::shared_ptr<CudaMemory> memory;
    CHECK_OK(CudaMemory::allocate(0, kMiB, memory));
    std::unique_ptr<CudaLane> lane;
    CHECK_OK(CudaLane::create(memory->device, lane));
    std::vector<std::byte> host(kMiB);
    const CudaCopy copy{reinterpret_cast<uint64_t>(host.data()), memory->pointer, kMiB};
    std::vector<Status> answers;
    snapshard::test::hang_driver(true);
    const auto ask = [&] {
      lane->copy(CudaDirection::kToHost, std::span(&copy, 1),
                 [&answers](Status status) { answers.push_back(std::move(status)); });
    };
    ask();
    break_driver(700);
    ask();
    CHECK(!lane->wait_for({}).ok());
    CHECK(lane->stop(kLong));
    CHECK_EQUAL(answers.size(), 2U);
    for (const Status& status : answers) CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_ILLEGAL_ADDRESS");
    snapshard::test::hang_driver(false);
    break_driver(0);
  }
  leaks.check();
}
