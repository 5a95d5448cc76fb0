// Another process with device memory: writes 1 into all of it, then 2 in a stream that is held, an event behind; tells
// both handles in hexadecimal, and obeys: `release` lets the stream go on, `bytes` tells how many are 3. Ends with its
// input.
#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace {

struct IpcBytes {
  unsigned char bytes[64];
};

template <typename... Arguments>
int call(const char* symbol, Arguments... arguments) {
  static void* const library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  void* address = library != nullptr ? ::dlsym(library, symbol) : nullptr;
  return address != nullptr ? reinterpret_cast<int (*)(Arguments...)>(address)(arguments...) : -1;
}

template <typename... Arguments>
void must(const char* symbol, Arguments... arguments) {
  const int result = call(symbol, arguments...);
  if (result == 0) return;
  std::fprintf(stderr, "%s answers %d\n", symbol, result);
  std::exit(1);
}

void tell(const IpcBytes& handle) {
  for (const unsigned char byte : handle.bytes) std::printf("%02x", byte);
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main() {
  constexpr size_t kBytes = 1 << 20;
  static const std::vector<unsigned char> ones(kBytes, 1);
  static const std::vector<unsigned char> twos(kBytes, 2);
  void* context = nullptr;
  uint64_t pointer = 0;
  void* stream = nullptr;
  void* event = nullptr;
  must("cuInit", 0U);
  must("cuDevicePrimaryCtxRetain", &context, 0);
  must("cuCtxPushCurrent_v2", context);
  must("cuMemAlloc_v2", &pointer, kBytes);
  must("cuStreamCreate", &stream, 1U);
  must("cuEventCreate", &event, 6U);
  must("cuMemcpyHtoD_v2", pointer, static_cast<const void*>(ones.data()), kBytes);
  call("cuda_double_hold_stream", stream, 1);
  must("cuMemcpyHtoDAsync_v2", pointer, static_cast<const void*>(twos.data()), kBytes, stream);
  must("cuEventRecord", event, stream);
  IpcBytes memory{};
  IpcBytes ready{};
  must("cuIpcGetMemHandle", &memory, pointer);
  must("cuIpcGetEventHandle", &ready, event);
  tell(memory);
  tell(ready);
  for (std::string order; std::getline(std::cin, order);) {
    if (order == "release") call("cuda_double_hold_stream", stream, 0);
    std::vector<unsigned char> bytes(kBytes);
    if (order == "bytes") must("cuMemcpyDtoH_v2", static_cast<void*>(bytes.data()), pointer, kBytes);
    std::printf("%lld\n", static_cast<long long>(std::count(bytes.begin(), bytes.end(), 3)));
    std::fflush(stdout);
  }
  std::_Exit(0);
}
