// The functions of the CUDA driver that are used here, with declarations of our own: no toolkit to build, and none
// needed to run.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"

namespace snapshard {

enum class CudaResult : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kStubLibrary = 34,
  kCallRequiresNewerDriver = 36,
  kNoDevice = 100,
  kInvalidContext = 201,
  kNotFound = 500,
  kNotSupported = 801,
  kSystemDriverMismatch = 803
};

// The driver's own name and text.
Status cuda_status(CudaResult result, const char* call);

// One function; called, it says what the driver answered. Only those that `CudaFunctions` calls optional may be
// missing.
template <typename... Arguments>
struct CudaFunction {
  const char* symbol;
  // What documentation calls it; the symbol may have a version at its end.
  const char* name = symbol;
  CudaResult (*address)(Arguments...) = nullptr;

  explicit operator bool() const { return address != nullptr; }
  Status operator()(Arguments... arguments) const { return cuda_status(address(arguments...), name); }
};

// Passed by value, as the driver's CUipcMemHandle and CUipcEventHandle are.
struct CudaIpcBytes {
  std::byte bytes[64];
};

struct CudaLocation {
  int type = 0;
  int id = 0;
};

// CUmemcpyAttributes.
struct CudaCopyAttributes {
  int source_order = 0;
  CudaLocation source;
  CudaLocation destination;
  unsigned flags = 0;
};

inline constexpr int kCudaSourceInStreamOrder = 1;
inline constexpr unsigned kCudaOverlapWithCompute = 1;

inline constexpr unsigned kCudaStreamNonBlocking = 1;
inline constexpr unsigned kCudaEventBlockingSync = 1;
inline constexpr unsigned kCudaEventDisableTiming = 2;
inline constexpr unsigned kCudaRegisterPortable = 1;
inline constexpr unsigned kCudaIpcLazyPeerAccess = 1;

inline constexpr int kCudaAttributeHostNumaId = 134;
inline constexpr int kCudaPointerMemoryType = 2;
inline constexpr int kCudaPointerDeviceOrdinal = 9;
inline constexpr int kCudaPointerRangeStart = 11;
inline constexpr int kCudaPointerRangeBytes = 12;
inline constexpr int kCudaMemoryTypeDevice = 2;

// Contexts, streams and events are opaque pointers; a device is a number, device memory an address.
struct CudaFunctions {
  CudaFunction<int*> driver_version{"cuDriverGetVersion"};
  CudaFunction<unsigned> init{"cuInit"};
  CudaFunction<int*> device_count{"cuDeviceGetCount"};
  CudaFunction<int*, int> device{"cuDeviceGet"};
  CudaFunction<int*, int, int> device_attribute{"cuDeviceGetAttribute"};
  CudaFunction<char*, int, int> device_bus_id{"cuDeviceGetPCIBusId"};

  CudaFunction<void**, int> context_retain{"cuDevicePrimaryCtxRetain"};
  CudaFunction<int> context_release{"cuDevicePrimaryCtxRelease_v2", "cuDevicePrimaryCtxRelease"};
  CudaFunction<void*> context_push{"cuCtxPushCurrent_v2", "cuCtxPushCurrent"};
  CudaFunction<void**> context_pop{"cuCtxPopCurrent_v2", "cuCtxPopCurrent"};

  CudaFunction<size_t*, size_t*> memory_info{"cuMemGetInfo_v2", "cuMemGetInfo"};
  CudaFunction<uint64_t*, size_t> allocate{"cuMemAlloc_v2", "cuMemAlloc"};
  CudaFunction<uint64_t> free{"cuMemFree_v2", "cuMemFree"};
  CudaFunction<void*, int, uint64_t> pointer_attribute{"cuPointerGetAttribute"};
  CudaFunction<uint64_t*, size_t*, uint64_t> address_range{"cuMemGetAddressRange_v2", "cuMemGetAddressRange"};
  CudaFunction<void*, size_t, unsigned> host_register{"cuMemHostRegister_v2", "cuMemHostRegister"};
  CudaFunction<void*> host_unregister{"cuMemHostUnregister"};

  CudaFunction<void*, uint64_t, size_t, void*> copy_to_host{"cuMemcpyDtoHAsync_v2", "cuMemcpyDtoHAsync"};
  CudaFunction<uint64_t, const void*, size_t, void*> copy_to_device{"cuMemcpyHtoDAsync_v2", "cuMemcpyHtoDAsync"};
  CudaFunction<uint64_t, uint64_t, size_t, void*> copy_within_device{"cuMemcpyDtoDAsync_v2", "cuMemcpyDtoDAsync"};
  // Optional, from CUDA 13 on and from 12.8 on: destinations, sources, sizes, how many; attributes, the first copy to
  // which each applies, how many; the older one also takes where to say which copy was wrong; the stream.
  CudaFunction<uint64_t*, uint64_t*, size_t*, size_t, CudaCopyAttributes*, size_t*, size_t, void*> copy_batch{
      "cuMemcpyBatchAsync_v2", "cuMemcpyBatchAsync"};
  CudaFunction<uint64_t*, uint64_t*, size_t*, size_t, CudaCopyAttributes*, size_t*, size_t, size_t*, void*>
      copy_batch_first{"cuMemcpyBatchAsync"};

  CudaFunction<void**, unsigned> stream_create{"cuStreamCreate"};
  CudaFunction<void*> stream_destroy{"cuStreamDestroy_v2", "cuStreamDestroy"};
  CudaFunction<void*, void*, unsigned> stream_wait_event{"cuStreamWaitEvent"};
  CudaFunction<void*> stream_synchronize{"cuStreamSynchronize"};
  CudaFunction<void**, unsigned> event_create{"cuEventCreate"};
  CudaFunction<void*> event_destroy{"cuEventDestroy_v2", "cuEventDestroy"};
  CudaFunction<void*, void*> event_record{"cuEventRecord"};
  CudaFunction<void*> event_synchronize{"cuEventSynchronize"};

  CudaFunction<uint64_t*, CudaIpcBytes, unsigned> ipc_open_memory{"cuIpcOpenMemHandle_v2", "cuIpcOpenMemHandle"};
  CudaFunction<uint64_t> ipc_close_memory{"cuIpcCloseMemHandle"};
  CudaFunction<void**, CudaIpcBytes> ipc_open_event{"cuIpcOpenEventHandle"};

  CudaFunction<CudaResult, const char**> error_name{"cuGetErrorName"};
  CudaFunction<CudaResult, const char**> error_text{"cuGetErrorString"};
};

// Only after probe_cuda() was good.
const CudaFunctions& cuda();

}  // namespace snapshard
