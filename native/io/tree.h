// What Directory does with whole trees and names, below descriptors. Errors are errno values; 0 is success.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace snapshard {

// Names that begin with one of the prefixes; all, where there are none.
[[nodiscard]] int list_names(UniqueFd directory, const std::vector<std::string>& prefixes,
                             std::vector<std::string>& names);
// EEXIST or ENOTEMPTY where the target is taken. Where the file system has no RENAME_NOREPLACE (NFS), the target is
// looked for first, and rename(2) itself refuses to replace a directory that is not empty.
[[nodiscard]] int rename_without_replacing(int from_parent, const std::string& from, int to_parent,
                                           const std::string& to);
// Goes on past what it cannot remove, and returns the first error. What is mounted there stays, and is EBUSY: it
// belongs to another file system. So does what lies deeper than anything of ours: ENAMETOOLONG.
[[nodiscard]] int remove_recursively(int parent, const std::string& name);
// Bytes of the regular files in a directory and below, as far as they can be seen; what removal would leave is left
// out.
[[nodiscard]] uint64_t bytes_below(UniqueFd directory);
// Seconds since the newest change of the directory or of anything in it, by the system's clock.
[[nodiscard]] double seconds_since_change(int directory);

}  // namespace snapshard
