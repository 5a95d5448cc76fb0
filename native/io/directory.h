#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"

namespace snapshard {

// A directory opened once. Every path is relative to it and stays below it: `..`, absolute paths and symbolic links on
// the way are refused by the kernel (openat2(2); component by component where the kernel is older than 5.6). The empty
// path is the directory itself. One thread at a time. Modes follow the umask.
class Directory {
 public:
  Status open(const std::string& path);
  // A directory below another, which may be closed before it.
  Status open_in(Directory& parent, const std::string& path);

  Status make_directory(const std::string& path, bool hold);
  // A new file, open for writing.
  Status create_file(const std::string& path, UniqueFd& file);
  // Creates and fills a file. Not synced: the caller keeps `file` and syncs it.
  Status write_file(const std::string& path, std::span<const std::byte> bytes, UniqueFd& file);
  // An existing regular file. Symbolic links are followed where that is wished, also out of the directory.
  Status open_for_reading(const std::string& path, bool follow_links, UniqueFd& file);
  Status read_file(const std::string& path, uint64_t bytes_max, std::vector<std::byte>& bytes);
  // Shows a file piece by piece, in order. It ends early where the file does, if that shrinks meanwhile.
  using Visit = std::function<void(std::span<const std::byte>)>;
  Status visit_file(const std::string& path, uint64_t bytes_max, const Visit& visit);
  // The last `bytes_max` bytes; all of a shorter file.
  Status read_tail(const std::string& path, uint64_t bytes_max, std::vector<std::byte>& bytes);
  // Names that begin with one of the prefixes; all, where there are none. Reopens the directory, so that a network file
  // system asks its server again.
  Status list(const std::string& path, const std::vector<std::string>& prefixes, std::vector<std::string>& names);
  // Of the regular files in a directory and below; what vanishes meanwhile counts nothing.
  Status count_bytes(const std::string& path, uint64_t& bytes);
  // Never replaces anything.
  Status rename(const std::string& from, const std::string& to);
  Status sync(const std::string& path);
  // What is not there is no error; a symbolic link is removed, never followed.
  Status remove_tree(const std::string& path);
  // Renames a directory that no process holds. Where no lock tells, as on file systems that other hosts have too: in
  // which nothing changed for `idle_seconds`.
  Status reclaim(const std::string& from, const std::string& to, double idle_seconds, bool& reclaimed);

 private:
  struct Place {
    UniqueFd parent;
    std::string name;
  };

  Status open_below(const std::string& path, int flags, mode_t mode, UniqueFd& file);
  Status open_regular(const std::string& path, UniqueFd& file, uint64_t& bytes);
  static Status check_regular(const std::string& path, const UniqueFd& file, uint64_t& bytes);
  Status find_place(const std::string& path, const char* syscall, Place& place);

  UniqueFd root_;
  // Locks on directories that this process is filling, by path.
  std::map<std::string, UniqueFd> held_;
};

}  // namespace snapshard
