#include "device/cuda_device.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <mutex>

#include "device/cuda_functions.h"

namespace snapshard {

namespace {

struct Registry {
  std::mutex mutex;
  std::map<int, std::weak_ptr<CudaDevice>> devices;
};

Registry& registry() {
  static Registry* const kDevices = std::make_unique<Registry>().release();
  return *kDevices;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// -1 where it is not told.
int node_of_bus(int device) {
  char bus_id[32] = {};
  if (!cuda().device_bus_id(bus_id, sizeof bus_id - 1, device).ok()) return -1;
  std::string name = bus_id;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char letter) { return std::tolower(letter); });
  const std::string line = first_line("/sys/bus/pci/devices/" + name + "/numa_node");
  return !line.empty() && std::isdigit(static_cast<unsigned char>(line.front())) != 0 ? std::atoi(line.c_str()) : -1;
}

}  // namespace

Status CudaDevice::open(int ordinal, std::shared_ptr<CudaDevice>& device) {
  if (Status status = probe_cuda(); !status.ok()) return status;
  const int count = cuda_device_count();
  if (ordinal < 0 || ordinal >= count) {
    return Status::failure(Failure::kArgument, "CUDA device " + std::to_string(ordinal) +
                                                   " is not there: this process sees " + std::to_string(count) +
                                                   ", counted from 0");
  }
  const std::lock_guard lock(registry().mutex);
  std::weak_ptr<CudaDevice>& known = registry().devices[ordinal];
  device = known.lock();
  if (device != nullptr) return {};
  auto fresh = std::shared_ptr<CudaDevice>(std::make_unique<CudaDevice>(Key{}, ordinal));
  if (Status status = cuda().device(&fresh->device_, ordinal); !status.ok()) return status;
  if (Status status = cuda().context_retain(&fresh->context_, fresh->device_); !status.ok()) return status;
  known = fresh;
  device = std::move(fresh);
  return {};
}

CudaDevice::~CudaDevice() {
  if (context_ != nullptr) (void)cuda().context_release(device_);
}

int CudaDevice::numa_node() const {
  if (first_line("/sys/devices/system/node/online") == "0") return -1;
  int node = -1;
  if (cuda().device_attribute(&node, kCudaAttributeHostNumaId, device_).ok() && node >= 0) return node;
  return node_of_bus(device_);
}

Status CudaDevice::free_bytes(uint64_t& bytes) const {
  const CudaScope scope(*this);
  if (!scope.status().ok()) return scope.status();
  size_t free = 0;
  size_t total = 0;
  Status status = cuda().memory_info(&free, &total);
  bytes = free;
  return status;
}

CudaScope::CudaScope(const CudaDevice& device, For purpose) : status_(cuda().context_push(device.context_)) {
  if (!status_.ok() && purpose == For::kEnd) status_ = cuda().context_push(device.context_);
}

CudaScope::~CudaScope() {
  void* ours = nullptr;
  if (status_.ok()) (void)cuda().context_pop(&ours);
}

Status CudaPinned::create(const std::shared_ptr<CudaDevice>& device, std::byte* data, uint64_t bytes,
                          std::unique_ptr<CudaPinned>& pinned) {
  const CudaScope scope(*device);
  if (!scope.status().ok()) return scope.status();
  if (Status status = cuda().host_register(data, bytes, kCudaRegisterPortable); !status.ok()) return status;
  pinned = std::make_unique<CudaPinned>(Key{}, device, data);
  return {};
}

CudaPinned::~CudaPinned() {
  const CudaScope scope(*device_, CudaScope::For::kEnd);
  if (scope.status().ok()) (void)cuda().host_unregister(data_);
}

}  // namespace snapshard
