#include "device/cuda_memory.h"
#include "base/sizes.h"
#include "cuda_driver.h"
#include "test.h"

using snapshard::CudaMemory;
using snapshard::CudaOrder;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::Status;
using snapshard::test::call_driver;
using snapshard::test::driver_function;
using snapshard::test::fail_driver;
using snapshard::test::LeakCheck;
using snapshard::test::tally;
using snapshard::test::Trainer;

namespace {

void check_refused(int device, uint64_t pointer, uint64_t bytes, const char* why) {
  std::shared_ptr<CudaMemory> memory;
  const Status status = CudaMemory::at(device, pointer, bytes, {}, memory);
  CHECK(memory == nullptr);
  CHECK(status.kind() == Failure::kArgument);
  if (status.message().find(why) == std::string::npos) throw snapshard::test::Failed(status.message());
}

}  // namespace

TEST(memory_of_somebody_else_is_taken_and_left_there) {
  const LeakCheck leaks;
  {
    Trainer trainer;
    const uint64_t pointer = trainer.allocate(kMiB + 3);
    for (const auto& [offset, bytes] :
         {std::pair{uint64_t{0}, kMiB + 3}, {uint64_t{7}, uint64_t{1}}, {kMiB, uint64_t{3}}}) {
      std::shared_ptr<CudaMemory> memory;
      CHECK_OK(CudaMemory::at(0, pointer + offset, bytes, {}, memory));
      CHECK(memory->pointer == pointer + offset && memory->bytes == bytes && memory->allocation == nullptr);
    }
    CHECK_EQUAL(tally().allocations, 1);
  }
  leaks.check();
}

TEST(a_pointer_that_is_no_device_memory_of_that_length_is_refused) {
  const LeakCheck leaks;
  {
    Trainer trainer;
    const uint64_t pointer = trainer.allocate(kMiB);
    const uint64_t freed = trainer.allocate(kMiB);
    trainer.free(freed);
    std::vector<std::byte> host(4096);
    check_refused(0, reinterpret_cast<uint64_t>(host.data()), 1, "is not device memory");
    check_refused(0, freed, 1, "is not device memory");
    check_refused(0, 0, 1, "0x0 is not device memory");
    check_refused(0, UINT64_MAX, 1, "is not device memory");
    check_refused(1, pointer, 1, "is of device 0");
    check_refused(0, pointer, kMiB + 1, "has 1048576 bytes");
    check_refused(0, pointer + 1, kMiB, "has 1048575 bytes");
    check_refused(0, pointer, UINT64_MAX, "bytes from there on");
    call_driver("cuMemHostRegister_v2", static_cast<void*>(host.data()), host.size(), 0U);
    check_refused(0, reinterpret_cast<uint64_t>(host.data()), 1, "is not device memory");
    call_driver("cuMemHostUnregister", static_cast<void*>(host.data()));
  }
  leaks.check();
}

TEST(two_allocations_side_by_side_are_not_one) {
  Trainer trainer;
  const uint64_t first = trainer.allocate(kMiB);
  CHECK_EQUAL(trainer.allocate(kMiB), first + kMiB);
  check_refused(0, first, 2 * kMiB, "has 1048576 bytes");
}

TEST(memory_mapped_in_pieces_is_one) {
  Trainer trainer;
  uint64_t pointer = 0;
  const auto allocate = driver_function<int, uint64_t*, size_t, size_t>("cuda_double_allocate_pieces");
  CHECK_EQUAL(allocate(&pointer, 4 * kMiB, kMiB), 0);
  std::shared_ptr<CudaMemory> memory;
  CHECK_OK(CudaMemory::at(0, pointer + 5, 4 * kMiB - 5, {}, memory));
  check_refused(0, pointer + 5, 4 * kMiB, "bytes from there on");
  call_driver("cuMemFree_v2", pointer);
}

TEST(a_tensor_without_elements_may_have_any_pointer) {
  std::shared_ptr<CudaMemory> memory;
  CHECK_OK(CudaMemory::at(0, 0, 0, {}, memory));
  CHECK_OK(CudaMemory::allocate(0, 0, memory));
  CHECK(memory->bytes == 0 && memory->allocation == nullptr);
}

TEST(memory_of_ours_is_freed_with_its_last_user) {
  const LeakCheck leaks;
  std::shared_ptr<CudaMemory> memory;
  CHECK_OK(CudaMemory::allocate(1, kMiB, memory));
  CHECK_EQUAL(memory->device->ordinal(), 1);
  std::shared_ptr<CudaMemory> part = memory->slice(100, 200);
  CHECK(part->pointer == memory->pointer + 100 && part->bytes == 200);
  CHECK(part->order == memory->order);
  memory.reset();
  CHECK_EQUAL(tally().allocations, 1);
  part.reset();
  leaks.check();
}

TEST(memory_that_is_not_there_is_the_drivers_error) {
  const LeakCheck leaks;
  std::shared_ptr<CudaMemory> memory;
  const Status status = CudaMemory::allocate(0, uint64_t{1} << 40, memory);
  CHECK(status.kind() == Failure::kCuda && memory == nullptr);
  CHECK_EQUAL(status.error(), 2);
  CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_OUT_OF_MEMORY");
  CHECK_EQUAL(std::string(status.syscall()), "cuMemAlloc");
  leaks.check();
}

TEST(a_driver_that_cannot_tell_is_no_refusal) {
  Trainer trainer;
  const uint64_t pointer = trainer.allocate(kMiB);
  fail_driver("cuPointerGetAttribute", 1, 700);
  std::shared_ptr<CudaMemory> memory;
  const Status status = CudaMemory::at(0, pointer, 1, {}, memory);
  fail_driver(nullptr, 0, 0);
  CHECK(status.kind() == Failure::kCuda);
  CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_ILLEGAL_ADDRESS");
}
