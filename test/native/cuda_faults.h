// What the tests of failing devices share.
#pragma once

#include "cuda_driver.h"
#include "cuda_rig.h"
#include "faults.h"
#include "test.h"

namespace snapshard::test {

// CUDA_ERROR_ILLEGAL_ADDRESS.
inline constexpr int kIllegalAddress = 700;

inline const std::vector<const char*>& driver_calls() {
  static const std::vector<const char*> kCalls = {"cuCtxPushCurrent_v2",
                                                  "cuCtxPopCurrent_v2",
                                                  "cuDevicePrimaryCtxRetain",
                                                  "cuDevicePrimaryCtxRelease_v2",
                                                  "cuMemAlloc_v2",
                                                  "cuMemFree_v2",
                                                  "cuMemHostRegister_v2",
                                                  "cuMemHostUnregister",
                                                  "cuMemcpyDtoHAsync_v2",
                                                  "cuMemcpyHtoDAsync_v2",
                                                  "cuMemcpyDtoDAsync_v2",
                                                  "cuMemcpyBatchAsync_v2",
                                                  "cuStreamCreate",
                                                  "cuStreamDestroy_v2",
                                                  "cuStreamWaitEvent",
                                                  "cuStreamSynchronize",
                                                  "cuEventCreate",
                                                  "cuEventDestroy_v2",
                                                  "cuEventRecord",
                                                  "cuEventSynchronize"};
  return kCalls;
}

// Calls `body(arm)` with each call of each function failing once, of those that come after the body has called `arm()`.
template <typename Body>
void for_each_failing_call(Body body) {
  int failures = 0;
  for (const char* call : driver_calls()) {
    bool failed = true;
    for (int64_t nth = 1; failed; ++nth) {
      const LeakCheck leaks;
      body([call, nth] { fail_driver(call, nth, kIllegalAddress); });
      failed = driver_function<int>("cuda_double_failed")() != 0;
      fail_driver(nullptr, 0, 0);
      leaks.check();
      failures += failed ? 1 : 0;
    }
  }
  CHECK(failures > 20);
}

// What a job says of a driver's failure.
inline void check_coded(const Status& status) {
  CHECK(status.kind() == Failure::kCuda);
  CHECK_EQUAL(status.error(), kIllegalAddress);
  CHECK_EQUAL(std::string(status.error_name()), "CUDA_ERROR_ILLEGAL_ADDRESS");
  CHECK(std::string(status.syscall()).rfind("cu", 0) == 0);
}

}  // namespace snapshard::test
