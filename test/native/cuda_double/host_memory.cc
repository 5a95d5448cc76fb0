#include <sys/uio.h>
#include <unistd.h>

#include "driver_double.h"

namespace cuda_double {

namespace {

using Needs = Call::Needs;

bool is_mapped(std::byte* data) {
  std::byte copy{};
  const iovec local{&copy, 1};
  const iovec remote{data, 1};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == 1;
}

bool overlaps(const std::byte* data, size_t bytes) {
  for (const auto& [start, length] : state().registrations) {
    if (data < start + length && start < data + bytes) return true;
  }
  return false;
}

}  // namespace

bool is_registered(const void* data, size_t bytes) {
  auto after = state().registrations.upper_bound(static_cast<std::byte*>(const_cast<void*>(data)));
  if (after == state().registrations.begin()) return false;
  --after;
  const auto offset = static_cast<size_t>(static_cast<const std::byte*>(data) - after->first);
  return offset < after->second && bytes <= after->second - offset;
}

CUDA_DOUBLE_API Result cuMemHostRegister_v2(void* data, size_t bytes, unsigned /*flags*/) {
  const Call call("cuMemHostRegister_v2", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  auto* const start = static_cast<std::byte*>(data);
  if (bytes == 0 || !is_mapped(start) || !is_mapped(start + bytes - 1)) return kInvalidValue;
  if (overlaps(start, bytes)) {
    misuse("host memory registered twice");
    return kAlreadyRegistered;
  }
  state().registrations[start] = bytes;
  ++state().tally.registrations;
  return kSuccess;
}

CUDA_DOUBLE_API Result cuMemHostUnregister(void* data) {
  const Call call("cuMemHostUnregister", Needs::kContext);
  const auto found = state().registrations.find(static_cast<std::byte*>(data));
  if (found == state().registrations.end()) {
    misuse("host memory unregistered that is not registered");
    return call.after(kNotRegistered);
  }
  if (!is_mapped(found->first)) misuse("host memory unmapped before it was unregistered");
  state().registrations.erase(found);
  --state().tally.registrations;
  return call.result();
}

}  // namespace cuda_double
