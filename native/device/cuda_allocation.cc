#include "device/cuda_allocation.h"

#include <algorithm>
#include <string>

#include "device/cuda_functions.h"
#include "device/ipc_registry.h"

namespace snapshard {

namespace {

// Never freed: an end that a device held up may come at any time.
template <typename Opened>
IpcRegistry<Opened>& registry() {
  static IpcRegistry<Opened>* const kOpened = std::make_unique<IpcRegistry<Opened>>().release();
  return *kOpened;
}

CudaIpcBytes to_driver(const CudaIpcHandle& handle) {
  CudaIpcBytes bytes{};
  std::copy(handle.begin(), handle.end(), bytes.bytes);
  return bytes;
}

// The driver's text alone does not say what to do.
Status explain(Status status) {
  if (static_cast<CudaResult>(status.error()) != CudaResult::kInvalidContext) return status;
  const char* const what = ": a handle of this same process cannot be opened in it, name the pointer";
  return Status::cuda(status.error(), status.error_name(), status.syscall(), status.text() + what);
}

}  // namespace

Status CudaAllocation::allocate(const std::shared_ptr<CudaDevice>& device, uint64_t bytes,
                                std::shared_ptr<CudaAllocation>& allocation) {
  const CudaScope scope(*device);
  if (!scope.status().ok()) return scope.status();
  auto fresh = std::make_shared<CudaAllocation>(Key{}, device, false);
  Status status = cuda().allocate(&fresh->pointer_, bytes);
  if (status.ok()) allocation = std::move(fresh);
  return status;
}

Status CudaAllocation::open(const std::shared_ptr<CudaDevice>& device, const CudaIpcHandle& handle,
                            std::shared_ptr<CudaAllocation>& allocation) {
  const CudaScope scope(*device);
  if (!scope.status().ok()) return scope.status();
  const auto open_fresh = [&](std::unique_ptr<CudaAllocation>& fresh) {
    fresh = std::make_unique<CudaAllocation>(Key{}, device, true);
    return explain(cuda().ipc_open_memory(&fresh->pointer_, to_driver(handle), kCudaIpcLazyPeerAccess));
  };
  return registry<CudaAllocation>().open(device->ordinal(), handle, allocation, open_fresh);
}

CudaAllocation::~CudaAllocation() {
  if (pointer_ == 0) return;
  const CudaScope scope(*device_, CudaScope::For::kEnd);
  if (!scope.status().ok()) return;
  (void)(opened_ ? cuda().ipc_close_memory(pointer_) : cuda().free(pointer_));
}

Status CudaIpcEvent::open(const std::shared_ptr<CudaDevice>& device, const CudaIpcHandle& handle,
                          std::shared_ptr<CudaIpcEvent>& event) {
  const CudaScope scope(*device);
  if (!scope.status().ok()) return scope.status();
  const auto open_fresh = [&](std::unique_ptr<CudaIpcEvent>& fresh) {
    fresh = std::make_unique<CudaIpcEvent>(Key{}, device);
    return explain(cuda().ipc_open_event(&fresh->event_, to_driver(handle)));
  };
  return registry<CudaIpcEvent>().open(device->ordinal(), handle, event, open_fresh);
}

CudaIpcEvent::~CudaIpcEvent() {
  if (event_ == nullptr) return;
  const CudaScope scope(*device_, CudaScope::For::kEnd);
  if (scope.status().ok()) (void)cuda().event_destroy(event_);
}

}  // namespace snapshard
