#include "base/sizes.h"
#include "cuda_driver.h"
#include "device/cuda_lane.h"
#include "device/cuda_memory.h"
#include "memory/mapping.h"
#include "test.h"

using snapshard::cuda_device_count;
using snapshard::cuda_driver_version;
using snapshard::CudaDevice;
using snapshard::CudaPinned;
using snapshard::CudaScope;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::Mapping;
using snapshard::probe_cuda;
using snapshard::Status;
using snapshard::test::call_driver;
using snapshard::test::fail_driver;
using snapshard::test::LeakCheck;
using snapshard::test::tally;
using snapshard::test::Trainer;

namespace {

void* current() {
  void* context = nullptr;
  call_driver("cuCtxGetCurrent", &context);
  return context;
}

}  // namespace

TEST(the_driver_is_found) {
  CHECK_OK(probe_cuda());
  CHECK_EQUAL(cuda_driver_version(), 13000);
  CHECK_EQUAL(cuda_device_count(), 2);
}

TEST(a_device_that_is_not_there_is_refused) {
  std::shared_ptr<CudaDevice> device;
  for (const int ordinal : {-1, 2, 1 << 30}) {
    const Status status = CudaDevice::open(ordinal, device);
    CHECK(status.kind() == Failure::kArgument && device == nullptr);
    CHECK(status.message().find(std::to_string(ordinal)) != std::string::npos);
  }
}

TEST(a_context_is_retained_once_and_released_with_its_last_user) {
  const LeakCheck leaks;
  const int64_t before = tally().contexts;
  std::shared_ptr<CudaDevice> first;
  std::shared_ptr<CudaDevice> again;
  std::shared_ptr<CudaDevice> other;
  CHECK_OK(CudaDevice::open(0, first));
  CHECK_OK(CudaDevice::open(0, again));
  CHECK_OK(CudaDevice::open(1, other));
  CHECK(first == again && first != other);
  CHECK_EQUAL(other->ordinal(), 1);
  CHECK_EQUAL(tally().contexts, before + 2);
  first.reset();
  CHECK_EQUAL(tally().contexts, before + 2);
  again.reset();
  other.reset();
  leaks.check();
  CHECK_OK(CudaDevice::open(0, first));
  first.reset();
  leaks.check();
}

TEST(a_context_that_cannot_be_had_is_an_error_and_the_next_try_is_free) {
  const LeakCheck leaks;
  for (const char* function : {"cuDeviceGet", "cuDevicePrimaryCtxRetain"}) {
    fail_driver(function, 1, 2);
    std::shared_ptr<CudaDevice> device;
    const Status status = CudaDevice::open(0, device);
    CHECK(status.kind() == Failure::kCuda && device == nullptr);
    CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_OUT_OF_MEMORY");
    CHECK_EQUAL(std::string(status.syscall()), function);
    CHECK(status.message().find("out of memory") != std::string::npos);
    CHECK_OK(CudaDevice::open(0, device));
    device.reset();
    leaks.check();
  }
  fail_driver(nullptr, 0, 0);
}

TEST(what_was_current_is_so_again) {
  const LeakCheck leaks;
  {
    CHECK(current() == nullptr);
    std::shared_ptr<CudaDevice> device;
    CHECK_OK(CudaDevice::open(0, device));
    const Trainer trainer(1);
    uint64_t bytes = 0;
    CHECK_OK(device->free_bytes(bytes));
    CHECK(bytes > 0 && current() == trainer.context());
    {
      const CudaScope scope(*device);
      CHECK_OK(scope.status());
      CHECK(current() != trainer.context());
    }
    CHECK(current() == trainer.context());
    fail_driver("cuCtxPushCurrent_v2", 1, 201);
    CHECK(device->free_bytes(bytes).kind() == Failure::kCuda);
    CHECK(current() == trainer.context());
    fail_driver(nullptr, 0, 0);
  }
  CHECK(current() == nullptr);
  leaks.check();
}

TEST(memory_is_pinned_while_it_is_mapped) {
  const LeakCheck leaks;
  {
    Mapping mapping;
    CHECK_OK(Mapping::create(4 * kMiB, mapping));
    std::shared_ptr<CudaDevice> device;
    CHECK_OK(CudaDevice::open(0, device));
    std::unique_ptr<CudaPinned> pinned;
    const int64_t before = tally().registrations;
    CHECK_OK(CudaPinned::create(device, mapping.data(), mapping.bytes(), pinned));
    CHECK_EQUAL(tally().registrations, before + 1);
    pinned.reset();
    CHECK_EQUAL(tally().registrations, before);
    fail_driver("cuMemHostRegister_v2", 1, 2);
    CHECK_EQUAL(std::string(CudaPinned::create(device, mapping.data(), mapping.bytes(), pinned).error_name()),
                "CUDA_ERROR_OUT_OF_MEMORY");
    CHECK(pinned == nullptr);
    fail_driver(nullptr, 0, 0);
  }
  leaks.check();
}

TEST(a_node_is_a_number_or_none) {
  std::shared_ptr<CudaDevice> device;
  CHECK_OK(CudaDevice::open(0, device));
  CHECK(device->numa_node() >= -1);
}
