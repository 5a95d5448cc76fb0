// The yardstick of the benchmark: threads that do nothing but memcpy and XXH3 in pieces of 256 KiB into faulted memory.
// Prints {"seconds","cpuSeconds","bytes","threads"} as JSON.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "base/sizes.h"
#include "codec/digest.h"
#include "memory/mapping.h"

namespace {

using snapshard::kChunkBytes;
using snapshard::kPieceBytes;

double process_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void copy_and_hash(const std::byte* source, std::byte* target, size_t bytes) {
  snapshard::Hasher hasher;
  for (size_t chunk = 0; chunk < bytes; chunk += kChunkBytes) {
    hasher.reset();
    const size_t end = std::min<size_t>(bytes, chunk + kChunkBytes);
    for (size_t offset = chunk; offset < end; offset += kPieceBytes) {
      const size_t piece = std::min<size_t>(kPieceBytes, end - offset);
      ::memcpy(target + offset, source + offset, piece);
      hasher.update(target + offset, piece);
    }
    (void)hasher.digest();
  }
}

uint64_t argument(int count, char** values, const char* name, uint64_t fallback) {
  for (int i = 1; i + 1 < count; ++i) {
    if (::strcmp(values[i], name) == 0) return ::strtoull(values[i + 1], nullptr, 10);
  }
  return fallback;
}

}  // namespace

int main(int count, char** values) {
  const uint64_t bytes = argument(count, values, "--bytes", uint64_t{1} << 30);
  const uint64_t threads = std::max<uint64_t>(1, argument(count, values, "--threads", 2));
  snapshard::Mapping source;
  snapshard::Mapping target;
  for (snapshard::Mapping* memory : {&source, &target}) {
    if (!snapshard::Mapping::create(bytes, *memory).ok() || !memory->prefault().ok()) {
      fputs("copy_hash_loop: not enough memory\n", stderr);
      return 1;
    }
  }
  ::memset(source.data(), 0x5a, bytes);
  const uint64_t share = snapshard::round_up(snapshard::divide_up(bytes, threads), kChunkBytes);
  const double cpu_before = process_cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> workers;
  for (uint64_t begin = 0; begin < bytes; begin += share) {
    workers.emplace_back(copy_and_hash, source.data() + begin, target.data() + begin, std::min(share, bytes - begin));
  }
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  printf("{\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"bytes\":%llu,\"threads\":%llu}\n", elapsed.count(),
         process_cpu_seconds() - cpu_before, static_cast<unsigned long long>(bytes),
         static_cast<unsigned long long>(threads));
  return 0;
}
