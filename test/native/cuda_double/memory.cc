#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "driver_double.h"

namespace cuda_double {

namespace {

using Needs = Call::Needs;

constexpr size_t kPage = 4096;
constexpr size_t kArenaBytesMax = size_t{1} << 38;
constexpr size_t kArenaBytesMin = size_t{1} << 32;

// Addresses are never given twice, and allocations that fill theirs lie side by side, as on a device.
uint64_t reserve(size_t bytes) {
  static std::byte* next = nullptr;
  static size_t left = 0;
  // Some kernels have few addresses to give.
  for (size_t arena_bytes = kArenaBytesMax; next == nullptr && arena_bytes >= kArenaBytesMin; arena_bytes /= 2) {
    void* arena = ::mmap(nullptr, arena_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED) continue;
    next = static_cast<std::byte*>(arena);
    left = arena_bytes;
  }
  if (bytes > left) return 0;
  const auto pointer = reinterpret_cast<uint64_t>(next);
  next += bytes;
  left -= bytes;
  return pointer;
}

size_t whole_pages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

size_t used_bytes(const Context* context) {
  size_t used = 0;
  for (const auto& [pointer, allocation] : state().allocations) {
    if (allocation->context == context && !allocation->opened) used += allocation->bytes;
  }
  return used;
}

Result add_allocation(uint64_t* pointer, std::shared_ptr<Allocation> allocation) {
  allocation->pointer = reserve(whole_pages(allocation->bytes));
  if (allocation->pointer == 0) return kOutOfMemory;
  allocation->context = current_context();
  allocation->losses = state().losses;
  *pointer = allocation->pointer;
  ++(allocation->opened ? state().tally.ipc_memories : state().tally.allocations);
  state().allocations[allocation->pointer] = std::move(allocation);
  return kSuccess;
}

Result allocate(uint64_t* pointer, size_t bytes, size_t piece_bytes) {
  if (bytes == 0) return kInvalidValue;
  if (bytes > state().memory_bytes || used_bytes(current_context()) > state().memory_bytes - bytes) return kOutOfMemory;
  auto fresh = std::make_shared<Allocation>();
  fresh->bytes = bytes;
  fresh->piece_bytes = piece_bytes;
  fresh->file_bytes = whole_pages(bytes) + kPage;
  void* data = nullptr;
  fresh->file = make_memory_file(fresh->file_bytes, data);
  if (fresh->file < 0) return kOutOfMemory;
  fresh->data = static_cast<std::byte*>(data);
  // The page behind the bytes says whose they are.
  fresh->nonce = fresh_nonce();
  std::memcpy(fresh->data + whole_pages(bytes), &fresh->nonce, sizeof fresh->nonce);
  return add_allocation(pointer, std::move(fresh));
}

Result end_allocation(uint64_t pointer, bool opened) {
  const auto found = state().allocations.find(pointer);
  if (found == state().allocations.end() || found->second->opened != opened) {
    misuse("device memory ended that is not there");
    return kInvalidValue;
  }
  if (found->second->uses != 0 && found->second->losses == state().losses) misuse("device memory ended under a copy");
  --(opened ? state().tally.ipc_memories : state().tally.allocations);
  state().allocations.erase(found);
  return kSuccess;
}

}  // namespace

Allocation::~Allocation() {
  if (data != nullptr) ::munmap(data, file_bytes);
  if (file >= 0) ::close(file);
}

uint64_t fresh_nonce() {
  std::random_device random;
  return (uint64_t{random()} << 32 | random()) | 1;
}

int make_memory_file(size_t bytes, void*& data) {
  const int file = ::memfd_create("cuda-double", MFD_CLOEXEC);
  if (file < 0) return -1;
  data = MAP_FAILED;
  if (::ftruncate(file, static_cast<off_t>(bytes)) == 0) {
    data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  if (data != MAP_FAILED) return file;
  ::close(file);
  return -1;
}

int open_memory_file(const IpcName& name, size_t bytes, void*& data) {
  const std::string path = "/proc/" + std::to_string(name.process) + "/fd/" + std::to_string(name.file);
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return -1;
  struct stat status {};
  data = MAP_FAILED;
  if (::fstat(file, &status) == 0 && status.st_size >= static_cast<off_t>(bytes)) {
    data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  if (data != MAP_FAILED) return file;
  ::close(file);
  return -1;
}

std::shared_ptr<Allocation> find_allocation(uint64_t pointer, size_t bytes) {
  auto after = state().allocations.upper_bound(pointer);
  if (after == state().allocations.begin()) return nullptr;
  const std::shared_ptr<Allocation>& allocation = (--after)->second;
  const uint64_t offset = pointer - allocation->pointer;
  return offset < allocation->bytes && bytes <= allocation->bytes - offset ? allocation : nullptr;
}

CUDA_DOUBLE_API void* cuda_double_bytes(uint64_t pointer) {
  const Lock lock(state().mutex);
  const auto allocation = find_allocation(pointer, 1);
  return allocation != nullptr ? allocation->data + (pointer - allocation->pointer) : nullptr;
}

CUDA_DOUBLE_API int cuda_double_allocate_pieces(uint64_t* pointer, size_t bytes, size_t piece_bytes) {
  const Lock lock(state().mutex);
  return current_context() != nullptr ? allocate(pointer, bytes, piece_bytes) : kInvalidContext;
}

CUDA_DOUBLE_API Result cuMemAlloc_v2(uint64_t* pointer, size_t bytes) {
  const Call call("cuMemAlloc_v2", Needs::kContext);
  return call.result() != kSuccess ? call.result() : allocate(pointer, bytes, bytes);
}

CUDA_DOUBLE_API Result cuMemFree_v2(uint64_t pointer) {
  const Call call("cuMemFree_v2", Needs::kContext);
  return call.after(end_allocation(pointer, false));
}

CUDA_DOUBLE_API Result cuMemGetInfo_v2(size_t* free, size_t* total) {
  const Call call("cuMemGetInfo_v2", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  *total = state().memory_bytes;
  *free = state().memory_bytes - used_bytes(current_context());
  return kSuccess;
}

CUDA_DOUBLE_API Result cuMemGetAddressRange_v2(uint64_t* start, size_t* bytes, uint64_t pointer) {
  const Call call("cuMemGetAddressRange_v2", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  const auto allocation = find_allocation(pointer, 1);
  if (allocation == nullptr) return kNotFound;
  const size_t piece = (pointer - allocation->pointer) / allocation->piece_bytes * allocation->piece_bytes;
  *start = allocation->pointer + piece;
  *bytes = std::min(allocation->piece_bytes, allocation->bytes - piece);
  return kSuccess;
}

CUDA_DOUBLE_API Result cuPointerGetAttribute(void* value, int attribute, uint64_t pointer) {
  const Call call("cuPointerGetAttribute", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  constexpr int kMemoryType = 2;
  const auto allocation = find_allocation(pointer, 1);
  const auto answer = [value](const auto& what) {
    std::memcpy(value, &what, sizeof what);
    return kSuccess;
  };
  if (allocation == nullptr) {
    const bool host = is_registered(reinterpret_cast<const void*>(pointer), 1);
    return host && attribute == kMemoryType ? answer(unsigned{1}) : kInvalidValue;
  }
  switch (attribute) {
    case kMemoryType:
      return answer(unsigned{2});
    case 9:
      return answer(allocation->context->device);
    case 11:
      return answer(allocation->pointer);
    case 12:
      return answer(allocation->bytes);
    default:
      return kInvalidValue;
  }
}

CUDA_DOUBLE_API Result cuIpcGetMemHandle(IpcBytes* bytes, uint64_t pointer) {
  const Call call("cuIpcGetMemHandle", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  const auto allocation = find_allocation(pointer, 1);
  if (allocation == nullptr || allocation->opened || allocation->piece_bytes != allocation->bytes) return kInvalidValue;
  const IpcName name{allocation->nonce, ::getpid(), allocation->file, allocation->bytes, 0};
  std::memset(bytes->bytes, 0, sizeof bytes->bytes);
  std::memcpy(bytes->bytes, &name, sizeof name);
  return kSuccess;
}

CUDA_DOUBLE_API Result cuIpcOpenMemHandle_v2(uint64_t* pointer, IpcBytes bytes, unsigned flags) {
  const Call call("cuIpcOpenMemHandle_v2", Needs::kContext);
  if (call.result() != kSuccess) return call.result();
  ++state().tally.ipc_opens;
  IpcName name;
  std::memcpy(&name, bytes.bytes, sizeof name);
  if (flags != 1 || name.is_event != 0 || name.bytes == 0) return kInvalidValue;
  if (name.process == ::getpid()) return kInvalidContext;
  for (const auto& [address, allocation] : state().allocations) {
    if (allocation->nonce == name.nonce && allocation->context == current_context()) return kAlreadyMapped;
  }
  auto fresh = std::make_shared<Allocation>();
  fresh->bytes = fresh->piece_bytes = name.bytes;
  fresh->file_bytes = whole_pages(name.bytes) + kPage;
  fresh->nonce = name.nonce;
  fresh->opened = true;
  void* data = nullptr;
  fresh->file = open_memory_file(name, fresh->file_bytes, data);
  if (fresh->file < 0) return kMapFailed;
  fresh->data = static_cast<std::byte*>(data);
  if (std::memcmp(fresh->data + whole_pages(name.bytes), &name.nonce, sizeof name.nonce) != 0) return kMapFailed;
  return add_allocation(pointer, std::move(fresh));
}

CUDA_DOUBLE_API Result cuIpcCloseMemHandle(uint64_t pointer) {
  const Call call("cuIpcCloseMemHandle", Needs::kContext);
  return call.after(end_allocation(pointer, true));
}

}  // namespace cuda_double
