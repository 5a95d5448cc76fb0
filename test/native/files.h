// Files and descriptors, as the tests see them from outside.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace snapshard::test {

// A new directory on a disk (not in memory, where the machine has one), removed with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  explicit TemporaryDirectory(const std::string& parent);
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::vector<std::byte> read_whole(const std::string& path);
void write_whole(const std::string& path, const std::vector<std::byte>& bytes);
std::vector<std::byte> bytes_of(const std::string& text);
bool exists(const std::string& path);

// What each open descriptor of this process stands for.
std::map<int, std::string> open_descriptors();
// A descriptor whose file has this path; -1 where there is none.
int descriptor_of(const std::string& path);

}  // namespace snapshard::test
