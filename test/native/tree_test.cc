// Whole trees: how deep they may be, what is mounted in them, and what they hold.
#include "io/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "io/directory.h"
#include "test.h"

using snapshard::bytes_below;
using snapshard::Directory;
using snapshard::remove_recursively;
using snapshard::UniqueFd;
using snapshard::test::bytes_of;
using snapshard::test::exists;
using snapshard::test::TemporaryDirectory;
using snapshard::test::write_whole;

namespace {

// As many as Directory removes, below the named one.
constexpr int kLevelsMax = 64;

UniqueFd opened(const std::string& path) { return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

// Nested directories `d`, so many; returns the innermost one's path.
std::string make_levels(std::string path, int count) {
  for (int level = 0; level < count; ++level) {
    path += "/d";
    CHECK(::mkdir(path.c_str(), 0755) == 0);
  }
  return path;
}

// A tmpfs on a directory, for as long as this lives.
class Mounted {
 public:
  explicit Mounted(std::string path) : path_(std::move(path)) {
    CHECK(::mkdir(path_.c_str(), 0755) == 0);
    if (::mount("none", path_.c_str(), "tmpfs", 0, nullptr) != 0) throw snapshard::test::Skipped("mounting needs root");
  }
  ~Mounted() { ::umount2(path_.c_str(), MNT_DETACH); }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

 private:
  std::string path_;
};

}  // namespace

TEST(a_tree_is_removed_as_deep_as_ours_could_ever_be) {
  const TemporaryDirectory outer;
  CHECK(::mkdir(outer.at("tree").c_str(), 0755) == 0);
  make_levels(outer.at("tree"), kLevelsMax);
  CHECK_EQUAL(remove_recursively(opened(outer.path()).get(), "tree"), 0);
  CHECK(!exists(outer.at("tree")));
}

TEST(a_deeper_tree_stays_and_keeps_no_descriptor) {
  const TemporaryDirectory outer;
  CHECK(::mkdir(outer.at("tree").c_str(), 0755) == 0);
  const std::string innermost = make_levels(outer.at("tree"), kLevelsMax + 2);
  const UniqueFd parent = opened(outer.path());
  const size_t before = snapshard::test::open_descriptors().size();
  CHECK_EQUAL(remove_recursively(parent.get(), "tree"), ENAMETOOLONG);
  CHECK_EQUAL(snapshard::test::open_descriptors().size(), before);
  CHECK(exists(innermost));
  CHECK_EQUAL(remove_recursively(opened(outer.at("tree/d")).get(), "d"), 0);
  CHECK_EQUAL(remove_recursively(parent.get(), "tree"), 0);
}

TEST(what_is_mounted_in_a_tree_stays) {
  const TemporaryDirectory outer;
  CHECK(::mkdir(outer.at("tree").c_str(), 0755) == 0);
  const UniqueFd parent = opened(outer.path());
  {
    const Mounted mounted(outer.at("tree/mount"));
    write_whole(outer.at("tree/file"), bytes_of("goes"));
    write_whole(outer.at("tree/mount/kept"), bytes_of("stays"));
    CHECK_EQUAL(bytes_below(opened(outer.at("tree"))), 4U);
    CHECK_EQUAL(remove_recursively(parent.get(), "tree"), EBUSY);
    CHECK(exists(outer.at("tree/mount/kept")) && !exists(outer.at("tree/file")));
  }
  CHECK_EQUAL(remove_recursively(parent.get(), "tree"), 0);
}

TEST(bytes_are_those_of_regular_files) {
  const TemporaryDirectory outer;
  const std::string innermost = make_levels(outer.path(), 3);
  write_whole(outer.at("file"), bytes_of("12345"));
  write_whole(innermost + "/file", bytes_of("123"));
  CHECK(::symlink("file", outer.at("link").c_str()) == 0);
  CHECK(::symlink(outer.path().c_str(), (innermost + "/up").c_str()) == 0);
  CHECK(::mkfifo(outer.at("fifo").c_str(), 0644) == 0);
  CHECK_EQUAL(bytes_below(opened(outer.path())), 8U);
}

TEST(a_directory_below_another_outlives_it) {
  const TemporaryDirectory outer;
  CHECK(::mkdir(outer.at("inner").c_str(), 0755) == 0);
  CHECK(::symlink("inner", outer.at("link").c_str()) == 0);
  Directory inner;
  {
    Directory parent;
    CHECK_OK(parent.open(outer.path()));
    CHECK(!inner.open_in(parent, "link").ok());
    CHECK(!inner.open_in(parent, "../" + outer.path()).ok());
    CHECK_EQUAL(inner.open_in(parent, "missing").error(), ENOENT);
    CHECK_OK(inner.open_in(parent, "inner"));
  }
  CHECK_OK(inner.make_directory("made", false));
  CHECK(exists(outer.at("inner/made")));
}
