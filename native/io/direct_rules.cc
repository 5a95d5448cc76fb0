#include "io/direct_rules.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/sizes.h"

namespace snapshard {

namespace {

// Values of linux/magic.h and of Lustre's own headers; statfs(2).
constexpr uint32_t kTmpfs = 0x01021994;
constexpr uint32_t kBtrfs = 0x9123683E;
constexpr uint32_t kNfs = 0x6969;
constexpr uint32_t kLustre = 0x0BD00BD0;
constexpr uint32_t kFuse = 0x65735546;

// Layout of struct statx up to the fields that Linux 6.1 added; older C libraries do not name them.
struct StatxWithAlignment {
  uint32_t mask;
  uint8_t before[148];
  uint32_t dio_memory_alignment;
  uint32_t dio_offset_alignment;
  uint8_t between[20];
  uint32_t dio_read_offset_alignment;
  uint8_t after[72];
};
static_assert(sizeof(StatxWithAlignment) == 256);
static_assert(offsetof(StatxWithAlignment, dio_memory_alignment) == 0x98);
static_assert(offsetof(StatxWithAlignment, dio_read_offset_alignment) == 0xb4);
constexpr unsigned kStatxDioAlign = 0x2000;
constexpr unsigned kStatxDioReadAlign = 0x20000;

uint32_t file_system_type(int fd) {
  struct statfs information {};
  return ::fstatfs(fd, &information) == 0 ? static_cast<uint32_t>(information.f_type) : 0;
}

DirectRules refuse(std::string reason) { return {Direct::kNo, 0, 0, std::move(reason)}; }

DirectRules accept(Direct direct, uint32_t memory, uint32_t offset, std::string reason) {
  constexpr auto kLeast = static_cast<uint32_t>(kDirectAlignment);
  return {direct, std::max(memory, kLeast), std::max(offset, kLeast), std::move(reason)};
}

DirectRules rules_by_type(uint32_t type) {
  constexpr auto kPage = static_cast<uint32_t>(kDirectAlignment);
  if (type == kNfs) return accept(Direct::kYes, kPage, kPage, "");
  if (type == kLustre) return accept(Direct::kYes, static_cast<uint32_t>(::sysconf(_SC_PAGESIZE)), kPage, "");
  DirectRules rules =
      accept(Direct::kUnknown, kPage, kPage, "the file system takes O_DIRECT but does not report an alignment");
  // Linux 6.18 at least: what a server in user space lets come short, io_uring goes on with at the place where it
  // began, and calls it done. fio sees it, too.
  if (type == kFuse) rules.threads_reason = "io_uring does not go on rightly with what FUSE writes in part";
  return rules;
}

DirectRules rules_by_statx(int fd, uint32_t type, bool for_reading) {
  StatxWithAlignment answer{};
  const long asked = ::syscall(__NR_statx, fd, "", AT_EMPTY_PATH, kStatxDioAlign | kStatxDioReadAlign, &answer);
  if (asked != 0 || (answer.mask & kStatxDioAlign) == 0) return rules_by_type(type);
  uint32_t offset_alignment = answer.dio_offset_alignment;
  if (for_reading && (answer.mask & kStatxDioReadAlign) != 0 && answer.dio_read_offset_alignment != 0) {
    offset_alignment = answer.dio_read_offset_alignment;
  }
  if (answer.dio_memory_alignment == 0 || offset_alignment == 0) {
    return refuse("the file system does not support direct I/O on this file");
  }
  if (kMinBlockBytes % offset_alignment != 0) {
    return refuse("the file system asks for an alignment that does not divide 1 MiB");
  }
  return accept(Direct::kYes, answer.dio_memory_alignment, offset_alignment, "");
}

}  // namespace

DirectRules direct_rules(int fd) {
  const uint32_t type = file_system_type(fd);
  if (type == kTmpfs) return refuse("tmpfs is memory");
  if (type == kBtrfs) return refuse("btrfs copies direct writes to checksum them");
  return rules_by_statx(fd, type, false);
}

DirectRules direct_rules_for_reading(int fd) {
  const uint32_t type = file_system_type(fd);
  if (type == kTmpfs) return refuse("tmpfs is memory");
  return rules_by_statx(fd, type, true);
}

bool set_direct(int fd, bool on) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

}  // namespace snapshard
