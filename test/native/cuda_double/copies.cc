#include <algorithm>
#include <cstring>

#include "driver_double.h"

// Which batch functions a driver of the time has: 0 none, 1 that of CUDA 12.8, 2 that of CUDA 13 beside it.
#ifndef CUDA_DOUBLE_BATCH
#define CUDA_DOUBLE_BATCH 2
#endif

namespace cuda_double {

namespace {

using Needs = Call::Needs;

struct Location {
  int type;
  int id;
};

struct CopyAttributes {
  int source_order;
  Location source;
  Location destination;
  unsigned flags;
};

// One end of a copy: device memory, or host memory where there is none of that.
struct Place {
  std::shared_ptr<Allocation> allocation;
  std::byte* data = nullptr;
};

Place device_place(uint64_t pointer, size_t bytes) {
  Place place;
  place.allocation = find_allocation(pointer, bytes);
  if (place.allocation != nullptr) place.data = place.allocation->data + (pointer - place.allocation->pointer);
  return place;
}

Place host_place(const void* data, size_t bytes) {
  if (!is_registered(data, bytes)) ++state().tally.unregistered_copies;
  Place place;
  place.data = static_cast<std::byte*>(const_cast<void*>(data));
  return place;
}

// In a batch the driver finds out which is which.
Place any_place(uint64_t pointer, size_t bytes) {
  if (find_allocation(pointer, 1) != nullptr) return device_place(pointer, bytes);
  return host_place(reinterpret_cast<const void*>(pointer), bytes);
}

// A copy that has begun is a use of both ends.
void use(const Place& place, int change) {
  if (place.allocation != nullptr) place.allocation->uses += change;
}

void count_down() {
  State& all = state();
  const Lock lock(all.mutex);
  if (all.copies_until_broken > 0 && --all.copies_until_broken == 0) lose_device(all.break_error);
  if (all.copies_until_hang > 0 && --all.copies_until_hang == 0) all.hangs = true;
}

// Ends the use also where the work is dropped.
struct Use {
  Use(Place to_place, Place from_place) : to(std::move(to_place)), from(std::move(from_place)) {
    use(to, 1);
    use(from, 1);
  }
  ~Use() {
    use(to, -1);
    use(from, -1);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  Place to;
  Place from;
};

Result check_stream(void* handle, std::shared_ptr<Stream>& stream) {
  stream = find_stream(handle);
  if (stream == nullptr) return kInvalidHandle;
  if (stream->context == current_context()) return kSuccess;
  misuse("a copy in a stream of another context");
  return kInvalidHandle;
}

Result copy(const Place& to, const Place& from, size_t bytes, const std::shared_ptr<Stream>& stream) {
  if (to.data == nullptr || from.data == nullptr) return kInvalidValue;
  ++state().tally.copies;
  state().tally.copied_bytes += static_cast<int64_t>(bytes);
  Operation operation;
  operation.act = [used = std::make_shared<Use>(to, from), bytes] {
    std::memcpy(used->to.data, used->from.data, bytes);
    count_down();
  };
  enqueue(stream, std::move(operation));
  return kSuccess;
}

[[maybe_unused]] Result copy_batch(const uint64_t* to, const uint64_t* from, const size_t* bytes, size_t count,
                                   const CopyAttributes* attributes, const size_t* first, size_t attribute_count,
                                   void* handle) {
  constexpr int kStreamOrder = 1;
  if (handle == nullptr || count == 0 || attribute_count != 1 || first[0] != 0) return kInvalidValue;
  if (attributes[0].source_order != kStreamOrder) return kInvalidValue;
  std::shared_ptr<Stream> stream;
  if (const Result result = check_stream(handle, stream); result != kSuccess) return result;
  ++state().tally.batches;
  for (size_t i = 0; i < count; ++i) {
    if (any_place(to[i], bytes[i]).data == nullptr || any_place(from[i], bytes[i]).data == nullptr)
      return kInvalidValue;
  }
  for (size_t i = 0; i < count; ++i) {
    (void)copy(any_place(to[i], bytes[i]), any_place(from[i], bytes[i]), bytes[i], stream);
  }
  return kSuccess;
}

Result wait_for(Call& call, Result asked) {
  return asked == kSuccess ? wait_for_stream(call.lock, current_context()->legacy) : asked;
}

}  // namespace

CUDA_DOUBLE_API Result cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* handle) {
  const Call call("cuMemcpyDtoHAsync_v2", Needs::kContext);
  std::shared_ptr<Stream> stream;
  if (call.result() != kSuccess) return call.result();
  if (const Result result = check_stream(handle, stream); result != kSuccess) return result;
  return copy(host_place(to, bytes), device_place(from, bytes), bytes, stream);
}

CUDA_DOUBLE_API Result cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* handle) {
  const Call call("cuMemcpyHtoDAsync_v2", Needs::kContext);
  std::shared_ptr<Stream> stream;
  if (call.result() != kSuccess) return call.result();
  if (const Result result = check_stream(handle, stream); result != kSuccess) return result;
  return copy(device_place(to, bytes), host_place(from, bytes), bytes, stream);
}

CUDA_DOUBLE_API Result cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void* handle) {
  const Call call("cuMemcpyDtoDAsync_v2", Needs::kContext);
  std::shared_ptr<Stream> stream;
  if (call.result() != kSuccess) return call.result();
  if (const Result result = check_stream(handle, stream); result != kSuccess) return result;
  return copy(device_place(to, bytes), device_place(from, bytes), bytes, stream);
}

// For tests alone: they wait for the end.
CUDA_DOUBLE_API Result cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
  Call call("cuMemcpyHtoD_v2", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  return wait_for(call, copy(device_place(to, bytes), {nullptr, static_cast<std::byte*>(const_cast<void*>(from))},
                             bytes, current_context()->legacy));
}

CUDA_DOUBLE_API Result cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
  Call call("cuMemcpyDtoH_v2", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  return wait_for(
      call, copy({nullptr, static_cast<std::byte*>(to)}, device_place(from, bytes), bytes, current_context()->legacy));
}

#if CUDA_DOUBLE_BATCH >= 2
CUDA_DOUBLE_API Result cuMemcpyBatchAsync_v2(uint64_t* to, uint64_t* from, size_t* bytes, size_t count,
                                             CopyAttributes* attributes, size_t* first, size_t attribute_count,
                                             void* handle) {
  const Call call("cuMemcpyBatchAsync_v2", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  return copy_batch(to, from, bytes, count, attributes, first, attribute_count, handle);
}
#endif

#if CUDA_DOUBLE_BATCH >= 1
CUDA_DOUBLE_API Result cuMemcpyBatchAsync(uint64_t* to, uint64_t* from, size_t* bytes, size_t count,
                                          CopyAttributes* attributes, size_t* first, size_t attribute_count,
                                          size_t* wrong, void* handle) {
  const Call call("cuMemcpyBatchAsync", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  *wrong = SIZE_MAX;
  return copy_batch(to, from, bytes, count, attributes, first, attribute_count, handle);
}
#endif

}  // namespace cuda_double
