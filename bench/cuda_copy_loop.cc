// The yardstick of `bench -- cuda`: copies between device memory and pinned host memory, or within device memory, asked
// of the driver piece by piece on one stream, and nothing else. Prints {"seconds","cpuSeconds","bytes"} of the median
// pass as JSON.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "device/cuda_device.h"
#include "device/cuda_functions.h"
#include "memory/mapping.h"

namespace {

using snapshard::CudaDevice;
using snapshard::CudaPinned;
using snapshard::CudaScope;
using snapshard::Mapping;
using snapshard::Status;

constexpr uint64_t kPasses = 5;

struct Pass {
  double seconds;
  double cpu_seconds;
};

const char* argument(int count, char** values, const char* name, const char* fallback) {
  for (int i = 1; i + 1 < count; ++i) {
    if (::strcmp(values[i], name) == 0) return values[i + 1];
  }
  return fallback;
}

uint64_t number(int count, char** values, const char* name, const char* fallback) {
  return ::strtoull(argument(count, values, name, fallback), nullptr, 10);
}

double process_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void require(const Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "cuda_copy_loop: %s\n", status.message().c_str());
  exit(1);
}

// The memory of one run; the process ends with it, and the driver frees what is on the device.
struct Copies {
  uint64_t bytes;
  uint64_t piece_bytes;
  bool within;
  uint64_t from = 0;
  uint64_t to = 0;
  Mapping host;
  std::unique_ptr<CudaPinned> pinned;
  void* stream = nullptr;

  void prepare(const std::shared_ptr<CudaDevice>& device) {
    require(snapshard::cuda().stream_create(&stream, snapshard::kCudaStreamNonBlocking));
    require(snapshard::cuda().allocate(&from, bytes));
    if (within) return require(snapshard::cuda().allocate(&to, bytes));
    require(Mapping::create(bytes, host));
    require(host.prefault());
    require(CudaPinned::create(device, host.data(), bytes, pinned));
  }

  Status copy(uint64_t offset, uint64_t piece) const {
    if (within) return snapshard::cuda().copy_within_device(to + offset, from + offset, piece, stream);
    return snapshard::cuda().copy_to_host(host.data() + offset, from + offset, piece, stream);
  }

  Pass pass() const {
    const double cpu_before = process_cpu_seconds();
    const auto start = std::chrono::steady_clock::now();
    for (uint64_t offset = 0; offset < bytes; offset += piece_bytes) {
      require(copy(offset, std::min(piece_bytes, bytes - offset)));
    }
    require(snapshard::cuda().stream_synchronize(stream));
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    return {elapsed.count(), process_cpu_seconds() - cpu_before};
  }
};

Pass median_of(std::vector<Pass> passes) {
  std::ranges::sort(passes, {}, &Pass::seconds);
  return passes[passes.size() / 2];
}

}  // namespace

// --device 0, --bytes 1 GiB, --piece (bytes) all of them, --direction host|within
int main(int count, char** values) {
  Copies copies{};
  copies.bytes = std::max<uint64_t>(1, number(count, values, "--bytes", "1073741824"));
  const uint64_t piece_bytes = number(count, values, "--piece", "0");
  copies.piece_bytes = piece_bytes == 0 ? copies.bytes : piece_bytes;
  copies.within = ::strcmp(argument(count, values, "--direction", "host"), "within") == 0;
  std::shared_ptr<CudaDevice> device;
  require(CudaDevice::open(static_cast<int>(number(count, values, "--device", "0")), device));
  const CudaScope scope(*device);
  require(scope.status());
  copies.prepare(device);
  (void)copies.pass();
  std::vector<Pass> passes;
  for (uint64_t i = 0; i < kPasses; ++i) passes.push_back(copies.pass());
  const Pass median = median_of(std::move(passes));
  printf("{\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"bytes\":%llu}\n", median.seconds, median.cpu_seconds,
         static_cast<unsigned long long>(copies.bytes));
  return 0;
}
