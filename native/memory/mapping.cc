#include "memory/mapping.h"

#include <errno.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/sizes.h"

namespace snapshard {

namespace {

constexpr size_t kHugePageBytes = 2 * kMiB;
// Populated at once. Meanwhile the kernel holds the lock of the address space: no other thread can map anything.
constexpr size_t kPrefaultBytes = 16 * kMiB;
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

size_t page_bytes() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

// The mapping is made larger than asked, and what lies before and after the aligned part is given back.
std::byte* trim_to_alignment(std::byte* start, size_t total, size_t wanted) {
  const auto address = reinterpret_cast<uintptr_t>(start);
  const uintptr_t aligned = round_up(address, kHugePageBytes);
  const size_t before = aligned - address;
  const size_t after = total - before - wanted;
  if (before > 0) ::munmap(start, before);
  if (after > 0) ::munmap(reinterpret_cast<void*>(aligned + wanted), after);
  return reinterpret_cast<std::byte*>(aligned);
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    unmap();
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
    mapped_bytes_ = std::exchange(other.mapped_bytes_, 0);
  }
  return *this;
}

Mapping::~Mapping() { unmap(); }

void Mapping::unmap() {
  if (data_ != nullptr) ::munmap(data_, mapped_bytes_);
}

Status Mapping::create(size_t bytes, Mapping& mapping) {
  constexpr size_t kLimit = size_t{1} << 46;
  if (bytes == 0 || bytes > kLimit) return Status::system(ENOMEM, "mmap");
  const size_t wanted = round_up(bytes, std::max(kDirectAlignment, page_bytes()));
  const size_t total = wanted + kHugePageBytes;
  // Reserved: what the machine can never have is ENOMEM here, not the end of the process once it is touched.
  void* start = ::mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return Status::system(errno, "mmap");
  Mapping made;
  made.data_ = trim_to_alignment(static_cast<std::byte*>(start), total, wanted);
  made.bytes_ = bytes;
  made.mapped_bytes_ = wanted;
  // Only a wish: without huge pages the mapping works, slower.
  (void)::madvise(made.data_, wanted, MADV_HUGEPAGE);
  // Else each child process, however short-lived, would be given a copy of all that is pinned for a device.
  (void)::madvise(made.data_, wanted, MADV_DONTFORK);
  mapping = std::move(made);
  return {};
}

// The system call itself: its constants are the kernel's own, and libnuma need not be installed.
void Mapping::prefer_node(int node) {
  constexpr int kPreferred = 1;
  constexpr int kBits = sizeof(unsigned long) * CHAR_BIT;
  if (node < 0) return;
  std::vector<unsigned long> mask(static_cast<size_t>(node / kBits) + 1);
  mask.back() = 1UL << (node % kBits);
  // The kernel takes one bit less than it is told.
  (void)::syscall(SYS_mbind, data_, mapped_bytes_, kPreferred, mask.data(), mask.size() * kBits + 1, 0);
}

void fault_in(std::byte* data, size_t bytes) { (void)::madvise(data, bytes, MADV_POPULATE_WRITE); }

Status Mapping::prefault() {
  for (size_t offset = 0; offset < mapped_bytes_; offset += kPrefaultBytes) {
    const size_t bytes = std::min(kPrefaultBytes, mapped_bytes_ - offset);
    if (::madvise(data_ + offset, bytes, MADV_POPULATE_WRITE) == 0) continue;
    if (errno == ENOMEM || errno == EFAULT) return Status::system(ENOMEM, "madvise");
    // Kernels before 5.14 do not know the advice: touch each page.
    for (size_t page = offset; page < offset + bytes; page += kDirectAlignment) {
      reinterpret_cast<volatile char*>(data_)[page] = 0;
    }
  }
  return {};
}

}  // namespace snapshard
