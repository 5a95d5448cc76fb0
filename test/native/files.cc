#include "files.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "test.h"

namespace snapshard::test {

TemporaryDirectory::TemporaryDirectory() : TemporaryDirectory(std::filesystem::temp_directory_path().string()) {}

TemporaryDirectory::TemporaryDirectory(const std::string& parent) : path_(parent + "/snapshard-native-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) throw Failed("mkdtemp " + path_);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::byte> read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw Failed("cannot open " + path);
  std::vector<std::byte> bytes(static_cast<size_t>(file.tellg()));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()))) {
    throw Failed("cannot read " + path);
  }
  return bytes;
}

void write_whole(const std::string& path, const std::vector<std::byte>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw Failed("cannot write " + path);
}

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

bool exists(const std::string& path) {
  struct stat information {};
  return ::lstat(path.c_str(), &information) == 0;
}

std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> found;
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) throw Failed("cannot list /proc/self/fd");
  while (const dirent* entry = ::readdir(directory)) {
    const int descriptor = ::atoi(entry->d_name);
    if (entry->d_name[0] == '.' || descriptor == ::dirfd(directory)) continue;
    char target[4096];
    const ssize_t length = ::readlinkat(::dirfd(directory), entry->d_name, target, sizeof(target));
    if (length > 0) found[descriptor] = std::string(target, static_cast<size_t>(length));
  }
  ::closedir(directory);
  return found;
}

int descriptor_of(const std::string& path) {
  for (const auto& [descriptor, target] : open_descriptors()) {
    if (target == path) return descriptor;
  }
  return -1;
}

}  // namespace snapshard::test
