// Whatever paths a directory is asked for, nothing outside it is read or changed, and nothing crashes.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "../files.h"
#include "../test.h"
#include "fuzz.h"
#include "io/directory.h"

using snapshard::Directory;
using snapshard::Status;
using snapshard::UniqueFd;
using snapshard::test::bytes_of;
using snapshard::test::fuzz_folder;
using snapshard::test::FuzzInput;
using snapshard::test::read_whole;
using snapshard::test::write_whole;

namespace {

namespace fs = std::filesystem;

const std::string kSecret = "nobody's business";
const std::string kOwn = "own";

std::string inside() { return fuzz_folder() + "/inside"; }
std::string outside() { return fuzz_folder() + "/outside"; }

// Changed paths are made again; most executions change none.
void prepare() {
  static bool made = false;
  if (!made) {
    fs::create_directory(outside());
    write_whole(outside() + "/secret", bytes_of(kSecret));
    made = true;
  }
  fs::remove_all(inside());
  fs::create_directories(inside() + "/a/b");
  write_whole(inside() + "/own", bytes_of(kOwn));
  write_whole(inside() + "/a/own", bytes_of(kOwn));
  fs::create_symlink("../outside", inside() + "/up");
  fs::create_symlink(outside(), inside() + "/a/up");
  fs::create_symlink("../outside/secret", inside() + "/secret");
  CHECK_EQUAL(::mkfifo((inside() + "/pipe").c_str(), 0600), 0);
}

std::string path_of(FuzzInput& input) {
  static const std::vector<std::string> kParts = {"",          "a",
                                                  "b",         "own",
                                                  "up",        "secret",
                                                  "pipe",      "new",
                                                  ".",         "..",
                                                  "/",         "//",
                                                  "/a/",       "../",
                                                  "/../",      "outside",
                                                  "up/secret", "a/b/new",
                                                  "a/",        "/.",
                                                  "./",        "a/../..",
                                                  "\xff\n",    std::string(300, 'x'),
                                                  outside(),   "/proc/self/cwd"};
  std::string path;
  for (size_t parts = input.up_to(4); parts > 0; --parts) {
    path += input.of(kParts);
    if (input.one_in(2)) path += '/';
    if (input.one_in(8)) path += static_cast<char>(1 + input.byte() % 255);
  }
  return path;
}

bool leads_out(const std::string& path) {
  if (path.starts_with('/')) return true;
  for (const fs::path& part : fs::path(path)) {
    if (part == "..") return true;
  }
  return false;
}

// What may be read: not the secret, through no link.
void check_contents(const Status& status, const std::string& path, const std::vector<std::byte>& bytes) {
  if (!status.ok()) return;
  CHECK(!leads_out(path));
  CHECK(bytes.empty() || bytes == bytes_of(kOwn) || bytes == bytes_of("new"));
}

void act(FuzzInput& input, Directory& directory) {
  constexpr uint64_t kBytesMax = 100;
  const std::string path = path_of(input);
  std::vector<std::byte> bytes;
  std::vector<std::string> names;
  UniqueFd file;
  bool reclaimed = false;
  Status status;
  switch (input.up_to(10)) {
    case 0:
      status = directory.make_directory(path, input.one_in(2));
      break;
    case 1:
      status = directory.create_file(path, file);
      break;
    case 2:
      status = directory.write_file(path, bytes_of("new"), file);
      break;
    case 3:
      status = directory.open_for_reading(path, false, file);
      break;
    case 4:
      status = directory.read_file(path, input.one_in(4) ? 1 : kBytesMax, bytes);
      return check_contents(status, path, bytes);
    case 5:
      status = directory.read_tail(path, kBytesMax, bytes);
      return check_contents(status, path, bytes);
    case 6:
      status = directory.list(path, {}, names);
      for (const std::string& name : names) CHECK(name != "." && name != ".." && name.find('/') == std::string::npos);
      break;
    case 7:
      status = directory.rename(path, path_of(input));
      break;
    case 8:
      status = directory.sync(path);
      break;
    case 9:
      status = directory.remove_tree(path);
      break;
    default:
      status = directory.reclaim(path, path_of(input), input.one_in(2) ? 0 : 1e9, reclaimed);
  }
  CHECK(status.ok() || (status.error() > 0 && !status.message().empty()));
  if (status.ok()) CHECK(!leads_out(path) || names.empty());
  if (file.valid())
    CHECK(fs::read_symlink("/proc/self/fd/" + std::to_string(file.get())).string().starts_with(inside()));
}

}  // namespace

FUZZ {
  prepare();
  Directory directory;
  CHECK_OK(directory.open(inside()));
  for (size_t actions = 1 + input.up_to(5); actions > 0; --actions) act(input, directory);
  CHECK(read_whole(outside() + "/secret") == bytes_of(kSecret));
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(outside())) count += entry.path().empty() ? 0 : 1;
  CHECK_EQUAL(count, size_t{1});
  count = 0;
  for (const auto& entry : fs::directory_iterator(fuzz_folder())) count += entry.path().empty() ? 0 : 1;
  CHECK_EQUAL(count, size_t{2});
}
