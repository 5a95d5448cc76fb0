#include "io/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace snapshard {

namespace {

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

// Each level takes a descriptor and some of the stack, and a hostile tree may have any number of them.
constexpr int kLevelsMax = 64;

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

double now() { return static_cast<double>(::time(nullptr)); }

double newest_change(int directory, const char* name) {
  struct stat information {};
  // What cannot be seen may have changed just now.
  if (::fstatat(directory, name, &information, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) return now();
  const auto modified = static_cast<double>(information.st_mtim.tv_sec);
  return std::max(modified, static_cast<double>(information.st_ctim.tv_sec));
}

double newest_change_below(int directory, int depth) {
  double newest = newest_change(directory, "");
  std::vector<std::string> names;
  if (list_names(UniqueFd(::openat(directory, ".", kOpenDirectory)), {}, names) != 0) return now();
  for (const std::string& name : names) {
    newest = std::max(newest, newest_change(directory, name.c_str()));
    if (depth == 0) continue;
    const UniqueFd child(::openat(directory, name.c_str(), kOpenDirectory));
    if (child.valid()) newest = std::max(newest, newest_change_below(child.get(), depth - 1));
  }
  return newest;
}

// Whether another file system, or another part of this one, is mounted on a directory. Before Linux 5.8, only another
// one shows.
bool is_mounted(int parent, int directory) {
  struct statx extended {};
  const int answer = ::statx(directory, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &extended);
  if (answer == 0 && (extended.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
    return (extended.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  }
  struct stat outside {};
  struct stat inside {};
  return ::fstat(parent, &outside) != 0 || ::fstat(directory, &inside) != 0 || outside.st_dev != inside.st_dev;
}

int remove_at(int parent, const std::string& name, int levels_left);

int remove_contents(int parent, const std::string& name, int levels_left) {
  UniqueFd directory(::openat(parent, name.c_str(), kOpenDirectory));
  if (!directory.valid()) return errno == ENOENT ? 0 : errno;
  if (is_mounted(parent, directory.get())) return EBUSY;
  std::vector<std::string> names;
  const int listed = list_names(UniqueFd(::openat(directory.get(), ".", kOpenDirectory)), {}, names);
  if (levels_left == 0 && !names.empty()) return ENAMETOOLONG;
  int first = listed;
  for (const std::string& child : names) {
    const int error = remove_at(directory.get(), child, levels_left - 1);
    if (first == 0) first = error;
  }
  return first;
}

int remove_at(int parent, const std::string& name, int levels_left) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return 0;
  const int refused = errno;
  if (refused != EISDIR && refused != EPERM) return refused;
  const int error = remove_contents(parent, name, levels_left);
  // EPERM was no file system's way to say that it is a directory.
  if (error == ENOTDIR) return refused;
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
  return error != 0 ? error : errno;
}

uint64_t bytes_in(int directory, int levels_left) {
  uint64_t bytes = 0;
  std::vector<std::string> names;
  if (list_names(UniqueFd(::openat(directory, ".", kOpenDirectory)), {}, names) != 0) return 0;
  for (const std::string& name : names) {
    struct stat information {};
    if (::fstatat(directory, name.c_str(), &information, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(information.st_mode)) bytes += static_cast<uint64_t>(information.st_size);
    if (!S_ISDIR(information.st_mode) || levels_left == 0) continue;
    const UniqueFd child(::openat(directory, name.c_str(), kOpenDirectory));
    if (child.valid() && !is_mounted(directory, child.get())) bytes += bytes_in(child.get(), levels_left - 1);
  }
  return bytes;
}

}  // namespace

int list_names(UniqueFd directory, const std::vector<std::string>& prefixes, std::vector<std::string>& names) {
  if (!directory.valid()) return errno;
  // An NFS client keeps a listing as long as the directory's time of change is the same. Two changes within one tick of
  // the server's clock look like one: without this, the second would stay unseen.
  ::posix_fadvise(directory.get(), 0, 0, POSIX_FADV_DONTNEED);
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(directory.get()));
  if (stream == nullptr) return errno;
  (void)directory.release();
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) return errno;
    const std::string_view name = entry->d_name;
    const auto begins = [name](const std::string& prefix) { return name.starts_with(prefix); };
    const bool wanted = prefixes.empty() || std::any_of(prefixes.begin(), prefixes.end(), begins);
    if (wanted && name != "." && name != "..") names.emplace_back(name);
  }
}

int rename_without_replacing(int from_parent, const std::string& from, int to_parent, const std::string& to) {
  const long renamed = ::syscall(__NR_renameat2, from_parent, from.c_str(), to_parent, to.c_str(), RENAME_NOREPLACE);
  if (renamed == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  struct stat taken {};
  if (::fstatat(to_parent, to.c_str(), &taken, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  return ::renameat(from_parent, from.c_str(), to_parent, to.c_str()) == 0 ? 0 : errno;
}

int remove_recursively(int parent, const std::string& name) { return remove_at(parent, name, kLevelsMax); }

uint64_t bytes_below(UniqueFd directory) { return bytes_in(directory.get(), kLevelsMax); }

double seconds_since_change(int directory) {
  constexpr int kLevels = 2;
  return now() - newest_change_below(directory, kLevels);
}

}  // namespace snapshard
