#include "io/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <thread>

#include "base/sizes.h"
#include "io/tree.h"

namespace snapshard {

namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

bool stays_below(std::string_view path) {
  if (path.starts_with('/')) return false;
  while (!path.empty()) {
    const size_t end = path.find('/');
    if (path.substr(0, end) == "..") return false;
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
  }
  return true;
}

// For kernels without openat2: one component at a time, none of them a link.
int open_by_components(int root, const std::string& path, int flags, mode_t mode) {
  UniqueFd at(::openat(root, ".", kOpenDirectory));
  size_t start = 0;
  while (at.valid()) {
    const size_t end = path.find('/', start);
    if (end == std::string::npos) return ::openat(at.get(), path.c_str() + start, flags | O_NOFOLLOW, mode);
    at = UniqueFd(::openat(at.get(), path.substr(start, end - start).c_str(), kOpenDirectory | O_NOFOLLOW));
    start = end + 1;
  }
  return -1;
}

int open_resolved(int root, const std::string& path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<uint64_t>(static_cast<unsigned>(flags));
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(__NR_openat2, root, path.c_str(), &how, sizeof(how));
  // A sandbox may answer EPERM for a call that it does not know.
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  return open_by_components(root, path, flags, mode);
}

int write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return 0;
}

// Read at once of a file that is read piece by piece.
constexpr uint64_t kVisitBytes = kMiB;

// As long as whoever looks whether a directory is held may keep it locked.
constexpr int kLockAttemptsMax = 3;
constexpr std::chrono::milliseconds kLockPause(2);

// Whether this descriptor now holds the lock; `unsupported` where the file system locks no directories.
enum class Lock { kTaken, kBusy, kUnsupported };

Lock try_lock(int fd) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Lock::kBusy;
    if (errno != EINTR) return Lock::kUnsupported;
  }
  return Lock::kTaken;
}

// Whether only this host has the file system, so that its locks hold for everybody. NFS, for one, grants a lock on a
// directory to each of its clients. The numbers are those of linux/magic.h, and of ZFS' own headers.
bool is_own_file_system(int fd) {
  constexpr std::array<uint32_t, 8> kOwn = {0xef53,     0x58465342, 0x9123683e, 0x01021994,
                                            0x858458f6, 0xf2f52010, 0x2fc12fc1, 0x794c7630};
  struct statfs information {};
  if (::fstatfs(fd, &information) != 0) return false;
  return std::find(kOwn.begin(), kOwn.end(), static_cast<uint32_t>(information.f_type)) != kOwn.end();
}

}  // namespace

Status Directory::open(const std::string& path) {
  root_ = UniqueFd(::open(path.c_str(), kOpenDirectory));
  return root_.valid() ? Status() : Status::system(errno, "open", path);
}

Status Directory::open_in(Directory& parent, const std::string& path) {
  return parent.open_below(path, kOpenDirectory, 0, root_);
}

Status Directory::open_below(const std::string& path, int flags, mode_t mode, UniqueFd& file) {
  if (!stays_below(path)) return Status::system(EXDEV, "openat2", path);
  file = UniqueFd(open_resolved(root_.get(), path.empty() ? "." : path, flags | O_CLOEXEC, mode));
  return file.valid() ? Status() : Status::system(errno, "openat2", path);
}

Status Directory::find_place(const std::string& path, const char* syscall, Place& place) {
  const size_t slash = path.rfind('/');
  place.name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (place.name.empty() || place.name == "." || place.name == "..") return Status::system(EINVAL, syscall, path);
  return open_below(slash == std::string::npos ? "" : path.substr(0, slash), kOpenDirectory, 0, place.parent);
}

Status Directory::make_directory(const std::string& path, bool hold) {
  Place place;
  Status status = find_place(path, "mkdirat", place);
  if (!status.ok()) return status;
  if (::mkdirat(place.parent.get(), place.name.c_str(), 0777) != 0) return Status::system(errno, "mkdirat", path);
  if (!hold) return {};
  UniqueFd made;
  status = open_below(path, kOpenDirectory, 0, made);
  if (!status.ok()) return status;
  // Where the file system has no such locks, the age of the directory protects it instead. Where it has, others would
  // take a directory without one for abandoned: a refusal that may pass is not the last word.
  Lock lock = try_lock(made.get());
  for (int attempt = 1; lock != Lock::kTaken && attempt < kLockAttemptsMax; ++attempt) {
    std::this_thread::sleep_for(kLockPause);
    lock = try_lock(made.get());
  }
  if (lock == Lock::kTaken) held_[path] = std::move(made);
  return {};
}

Status Directory::create_file(const std::string& path, UniqueFd& file) {
  return open_below(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666, file);
}

Status Directory::write_file(const std::string& path, std::span<const std::byte> bytes, UniqueFd& file) {
  Status status = create_file(path, file);
  if (!status.ok()) return status;
  const int error = write_all(file.get(), bytes);
  return error == 0 ? Status() : Status::system(error, "write", path);
}

Status Directory::open_for_reading(const std::string& path, bool follow_links, UniqueFd& file) {
  uint64_t bytes = 0;
  if (!follow_links) return open_regular(path, file, bytes);
  if (!stays_below(path)) return Status::system(EXDEV, "openat", path);
  file = UniqueFd(::openat(root_.get(), path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  return file.valid() ? check_regular(path, file, bytes) : Status::system(errno, "openat", path);
}

Status Directory::open_regular(const std::string& path, UniqueFd& file, uint64_t& bytes) {
  Status status = open_below(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, file);
  return status.ok() ? check_regular(path, file, bytes) : status;
}

// What is no regular file is EINVAL from fstat, which the system itself never says. Of a regular file O_NONBLOCK goes
// again: with it, io_uring answers EAGAIN where a device (dm-crypt, before Linux 6.5) cannot say that it would wait.
Status Directory::check_regular(const std::string& path, const UniqueFd& file, uint64_t& bytes) {
  struct stat information {};
  if (::fstat(file.get(), &information) != 0) return Status::system(errno, "fstat", path);
  if (!S_ISREG(information.st_mode)) return Status::system(EINVAL, "fstat", path);
  const int flags = ::fcntl(file.get(), F_GETFL);
  if (flags < 0 || ::fcntl(file.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) return Status::system(errno, "fcntl", path);
  bytes = static_cast<uint64_t>(information.st_size);
  return {};
}

namespace {

// A file may claim any length.
bool try_resize(std::vector<std::byte>& bytes, uint64_t count) {
  try {
    bytes.resize(static_cast<size_t>(count));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

// Reads until `bytes` is full or the file ends; `have` says how many.
Status fill_from(const UniqueFd& file, const std::string& path, uint64_t offset, std::span<std::byte> bytes,
                 size_t& have) {
  have = 0;
  while (have < bytes.size()) {
    const ssize_t got =
        ::pread(file.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Status::system(errno, "read", path);
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  return {};
}

// Reads up to where the file ends now, if that is before `count` bytes.
Status read_from(const UniqueFd& file, const std::string& path, uint64_t offset, uint64_t count,
                 std::vector<std::byte>& bytes) {
  if (!try_resize(bytes, count)) return Status::system(ENOMEM, "read", path);
  size_t have = 0;
  Status status = fill_from(file, path, offset, bytes, have);
  bytes.resize(have);
  return status;
}

}  // namespace

Status Directory::read_file(const std::string& path, uint64_t bytes_max, std::vector<std::byte>& bytes) {
  UniqueFd file;
  uint64_t length = 0;
  Status status = open_regular(path, file, length);
  if (!status.ok()) return status;
  if (length > bytes_max) return Status::system(EFBIG, "read", path);
  return read_from(file, path, 0, length, bytes);
}

Status Directory::visit_file(const std::string& path, uint64_t bytes_max, const Visit& visit) {
  UniqueFd file;
  uint64_t length = 0;
  Status status = open_regular(path, file, length);
  if (!status.ok()) return status;
  if (length > bytes_max) return Status::system(EFBIG, "read", path);
  std::vector<std::byte> piece(static_cast<size_t>(std::min<uint64_t>(length, kVisitBytes)));
  uint64_t offset = 0;
  for (size_t have = piece.size(); have == piece.size() && offset < length; offset += have) {
    status = fill_from(file, path, offset, piece, have);
    if (!status.ok()) return status;
    visit(std::span(piece).first(have));
  }
  return {};
}

Status Directory::read_tail(const std::string& path, uint64_t bytes_max, std::vector<std::byte>& bytes) {
  UniqueFd file;
  uint64_t length = 0;
  Status status = open_regular(path, file, length);
  if (!status.ok()) return status;
  const uint64_t count = std::min(length, bytes_max);
  return read_from(file, path, length - count, count, bytes);
}

Status Directory::list(const std::string& path, const std::vector<std::string>& prefixes,
                       std::vector<std::string>& names) {
  UniqueFd directory;
  Status status = open_below(path, kOpenDirectory, 0, directory);
  if (!status.ok()) return status;
  const int error = list_names(std::move(directory), prefixes, names);
  return error == 0 ? Status() : Status::system(error, "readdir", path);
}

Status Directory::count_bytes(const std::string& path, uint64_t& bytes) {
  UniqueFd directory;
  Status status = open_below(path, kOpenDirectory, 0, directory);
  if (status.ok()) bytes = bytes_below(std::move(directory));
  return status;
}

Status Directory::rename(const std::string& from, const std::string& to) {
  Place source;
  Place target;
  Status status = find_place(from, "renameat2", source);
  if (status.ok()) status = find_place(to, "renameat2", target);
  if (!status.ok()) return status;
  const int error = rename_without_replacing(source.parent.get(), source.name, target.parent.get(), target.name);
  if (error != 0) return Status::system(error, "renameat2", from);
  held_.erase(from);
  return {};
}

Status Directory::sync(const std::string& path) {
  UniqueFd directory;
  Status status = open_below(path, kOpenDirectory, 0, directory);
  if (!status.ok()) return status;
  return ::fsync(directory.get()) == 0 ? Status() : Status::system(errno, "fsync", path);
}

Status Directory::remove_tree(const std::string& path) {
  // What is to go is nobody's, also where it cannot go now.
  held_.erase(path);
  Place place;
  const Status status = find_place(path, "unlinkat", place);
  if (!status.ok()) return status.error() == ENOENT ? Status() : status;
  const int error = remove_recursively(place.parent.get(), place.name);
  return error == 0 ? Status() : Status::system(error, "unlinkat", path);
}

Status Directory::reclaim(const std::string& from, const std::string& to, double idle_seconds, bool& reclaimed) {
  reclaimed = false;
  UniqueFd directory;
  Status status = open_below(from, kOpenDirectory, 0, directory);
  if (!status.ok()) return status.error() == ENOENT ? Status() : status;
  const Lock lock = try_lock(directory.get());
  if (lock == Lock::kBusy) return {};
  const bool free = lock == Lock::kTaken && is_own_file_system(directory.get());
  if (!free && seconds_since_change(directory.get()) < idle_seconds) return {};
  status = rename(from, to);
  reclaimed = status.ok();
  return status.error() == ENOENT ? Status() : status;
}

}  // namespace snapshard
