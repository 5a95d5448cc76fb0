#include "io/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/sizes.h"
#include "files.h"
#include "test.h"

using snapshard::Directory;
using snapshard::kMiB;
using snapshard::Status;
using snapshard::UniqueFd;
using snapshard::test::bytes_of;
using snapshard::test::exists;
using snapshard::test::read_whole;
using snapshard::test::TemporaryDirectory;
using snapshard::test::write_whole;

namespace {

// A directory to work in, a file beside it that must stay as it is, and no descriptor left behind.
struct Place {
  Place() {
    CHECK(::mkdir(outer.at("root").c_str(), 0755) == 0);
    write_whole(outer.at("secret"), bytes_of("secret"));
    CHECK_OK(directory.open(root()));
  }
  ~Place() = default;

  [[nodiscard]] std::string root() const { return outer.at("root"); }
  [[nodiscard]] std::string at(const std::string& name) const { return root() + "/" + name; }
  Status write(const std::string& path, const std::string& text) {
    UniqueFd file;
    return directory.write_file(path, bytes_of(text), file);
  }
  void link(const std::string& target, const std::string& name) {
    CHECK(::symlink(target.c_str(), at(name).c_str()) == 0);
  }

  TemporaryDirectory outer;
  Directory directory;
};

mode_t mode_of(const std::string& path) {
  struct stat information {};
  CHECK(::stat(path.c_str(), &information) == 0);
  return information.st_mode & 07777;
}

bool locks_work(const std::string& directory) {
  const UniqueFd file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY));
  return ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
}

}  // namespace

TEST(opening_what_is_no_directory) {
  const TemporaryDirectory outer;
  write_whole(outer.at("file"), {});
  Directory directory;
  CHECK_EQUAL(directory.open(outer.at("missing")).error(), ENOENT);
  CHECK_EQUAL(directory.open(outer.at("file")).error(), ENOTDIR);
}

TEST(files_are_written_read_and_listed) {
  Place place;
  CHECK_OK(place.directory.make_directory("a", false));
  CHECK_OK(place.directory.make_directory("a/b", false));
  CHECK_OK(place.write("a/b/file", "contents"));
  CHECK_OK(place.write("a/empty", ""));
  std::vector<std::byte> bytes;
  CHECK_OK(place.directory.read_file("a/b/file", 8, bytes));
  CHECK(bytes == bytes_of("contents"));
  CHECK_EQUAL(place.directory.read_file("a/b/file", 7, bytes).error(), EFBIG);
  CHECK_OK(place.directory.read_tail("a/b/file", 3, bytes));
  CHECK_EQUAL(bytes.size(), 3U);
  CHECK_OK(place.directory.read_tail("a/b/file", 100, bytes));
  CHECK_EQUAL(bytes.size(), 8U);
  CHECK_OK(place.directory.read_file("a/empty", 0, bytes));
  CHECK(bytes.empty());
  std::vector<std::string> names;
  CHECK_OK(place.directory.list("a", {}, names));
  std::sort(names.begin(), names.end());
  CHECK(names == (std::vector<std::string>{"b", "empty"}));
  names.clear();
  CHECK_OK(place.directory.list("", {}, names));
  CHECK(names == std::vector<std::string>{"a"});
  CHECK_OK(place.write("a/baker", ""));
  names.clear();
  CHECK_OK(place.directory.list("a", {"c", "ba", "em"}, names));
  std::sort(names.begin(), names.end());
  CHECK(names == (std::vector<std::string>{"baker", "empty"}));
  CHECK_OK(place.directory.sync(""));
  CHECK_OK(place.directory.sync("a/b"));
}

TEST(a_file_is_shown_piece_by_piece) {
  Place place;
  std::string contents(3 * kMiB + 5, 'x');
  contents[kMiB] = 'y';
  CHECK_OK(place.write("file", contents));
  std::string shown;
  const auto visit = [&shown](std::span<const std::byte> piece) {
    shown.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  };
  CHECK_OK(place.directory.visit_file("file", contents.size(), visit));
  CHECK(shown == contents);
  CHECK_EQUAL(place.directory.visit_file("file", contents.size() - 1, visit).error(), EFBIG);
  CHECK_EQUAL(shown.size(), contents.size());
}

TEST(a_file_longer_than_memory_is_an_error) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  throw snapshard::test::Skipped("sanitizers end the process where there is no memory");
#endif
  Place place;
  UniqueFd file;
  CHECK_OK(place.directory.create_file("sparse", file));
  CHECK(::ftruncate(file.get(), off_t{1} << 43) == 0);
  std::vector<std::byte> bytes;
  CHECK_EQUAL(place.directory.read_file("sparse", uint64_t{1} << 43, bytes).error(), ENOMEM);
}

// With it, io_uring may answer EAGAIN instead of waiting.
TEST(a_regular_file_is_not_opened_nonblocking) {
  Place place;
  CHECK_OK(place.write("file", "contents"));
  for (const bool follow_links : {false, true}) {
    UniqueFd file;
    CHECK_OK(place.directory.open_for_reading("file", follow_links, file));
    CHECK_EQUAL(::fcntl(file.get(), F_GETFL) & O_NONBLOCK, 0);
  }
}

TEST(what_is_taken_is_not_replaced) {
  Place place;
  CHECK_OK(place.write("file", "first"));
  CHECK_OK(place.directory.make_directory("dir", false));
  CHECK_EQUAL(place.write("file", "second").error(), EEXIST);
  CHECK_EQUAL(place.write("dir", "second").error(), EEXIST);
  CHECK_EQUAL(place.directory.make_directory("dir", true).error(), EEXIST);
  CHECK_EQUAL(place.directory.make_directory("file", false).error(), EEXIST);
  place.link("nowhere", "dangling");
  CHECK(!place.write("dangling", "second").ok());
  CHECK(!exists(place.at("nowhere")));
  CHECK(read_whole(place.at("file")) == bytes_of("first"));
}

TEST(paths_that_leave_are_refused) {
  Place place;
  CHECK_OK(place.directory.make_directory("a", false));
  place.link("..", "up");
  place.link(place.outer.path(), "out");
  place.link("a", "inside");
  place.link("../secret", "link");
  std::vector<std::byte> bytes;
  std::vector<std::string> names;
  for (const char* path : {"../secret", "a/../../secret", "a/../up/secret", "up/secret", "out/secret", "link"}) {
    CHECK(!place.directory.read_file(path, 100, bytes).ok());
    CHECK(!place.write(path, "changed").ok());
  }
  CHECK(!place.directory.read_file(place.outer.at("secret"), 100, bytes).ok());
  for (const char* path : {"..", "up", "out", "a/..", "/", "inside"}) {
    CHECK(!place.directory.list(path, {}, names).ok());
    CHECK(!place.directory.sync(path).ok());
    CHECK(!place.directory.make_directory(std::string(path) + "/made", false).ok());
    CHECK(!place.directory.remove_tree(std::string(path) + "/secret").ok() || path == std::string("inside"));
    CHECK(!place.directory.rename("a", std::string(path) + "/moved").ok());
  }
  for (const char* path : {"", ".", "..", "a/", "a/.", "a/.."}) {
    CHECK(!place.directory.make_directory(path, false).ok());
    CHECK(!place.directory.remove_tree(path).ok());
    CHECK(!place.directory.rename(path, "moved").ok());
  }
  CHECK(read_whole(place.outer.at("secret")) == bytes_of("secret"));
  CHECK(exists(place.at("a")));
}

TEST(special_files_are_not_read) {
  Place place;
  CHECK(::mkfifo(place.at("fifo").c_str(), 0644) == 0);
  std::vector<std::byte> bytes;
  CHECK_EQUAL(place.directory.read_file("fifo", 100, bytes).error(), EINVAL);
  CHECK(!place.directory.read_file("", 100, bytes).ok());
}

TEST(modes_follow_the_umask) {
  for (const mode_t mask : {mode_t{0022}, mode_t{0027}, mode_t{0002}}) {
    Place place;
    const mode_t before = ::umask(mask);
    const Status made = place.directory.make_directory("dir", true);
    const Status written = place.write("file", "");
    ::umask(before);
    CHECK_OK(made);
    CHECK_OK(written);
    CHECK_EQUAL(mode_of(place.at("dir")), 0777U & ~mask);
    CHECK_EQUAL(mode_of(place.at("file")), 0666U & ~mask);
  }
}

TEST(rename_moves_and_never_replaces) {
  Place place;
  CHECK_OK(place.directory.make_directory("from", false));
  CHECK_OK(place.write("from/file", "moved"));
  CHECK_OK(place.directory.make_directory("full", false));
  CHECK_OK(place.write("full/file", "kept"));
  CHECK_OK(place.directory.make_directory("empty", false));
  CHECK_OK(place.write("file", "kept"));
  place.link("nowhere", "dangling");
  for (const char* target : {"full", "empty", "file", "dangling", "from"}) {
    const int error = place.directory.rename("from", target).error();
    CHECK(error == EEXIST || error == ENOTEMPTY);
  }
  CHECK_EQUAL(place.directory.rename("file", "full/file").error(), EEXIST);
  CHECK_EQUAL(place.directory.rename("missing", "new").error(), ENOENT);
  CHECK_OK(place.directory.rename("from", "full/to"));
  CHECK(read_whole(place.at("full/to/file")) == bytes_of("moved"));
  CHECK(read_whole(place.at("full/file")) == bytes_of("kept"));
  CHECK(!exists(place.at("from")) && exists(place.at("empty")));
}

TEST(trees_are_removed_and_links_not_followed) {
  Place place;
  CHECK_OK(place.directory.make_directory("tree", true));
  CHECK_OK(place.directory.make_directory("tree/a", false));
  CHECK_OK(place.directory.make_directory("tree/a/b", false));
  CHECK_OK(place.write("tree/a/b/file", "x"));
  CHECK_OK(place.write("tree/file", "x"));
  place.link(place.outer.path(), "tree/out");
  place.link("../../secret", "tree/file-link");
  place.link("tree", "to-tree");
  CHECK_OK(place.directory.remove_tree("to-tree"));
  CHECK(exists(place.at("tree/a/b/file")));
  CHECK_OK(place.directory.remove_tree("tree"));
  CHECK(!exists(place.at("tree")));
  CHECK(read_whole(place.outer.at("secret")) == bytes_of("secret"));
  CHECK_OK(place.directory.remove_tree("tree"));
  CHECK_OK(place.directory.remove_tree("missing/deeper"));
  CHECK_OK(place.write("file", "x"));
  CHECK_OK(place.directory.remove_tree("file"));
  CHECK(!exists(place.at("file")));
}

TEST(a_held_directory_is_reclaimed_once_its_holder_is_gone) {
  Place place;
  if (!locks_work(place.root())) throw snapshard::test::Skipped("no locks");
  CHECK_OK(place.directory.make_directory("partial", true));
  Directory other;
  CHECK_OK(other.open(place.root()));
  bool reclaimed = true;
  CHECK_OK(other.reclaim("partial", "dead", 0, reclaimed));
  CHECK(!reclaimed && exists(place.at("partial")));
  CHECK_OK(place.directory.reclaim("partial", "dead", 0, reclaimed));
  CHECK(!reclaimed);
  place.directory = Directory();
  CHECK_OK(other.reclaim("partial", "dead", 1e9, reclaimed));
  CHECK(reclaimed && exists(place.at("dead")) && !exists(place.at("partial")));
  CHECK_OK(other.reclaim("partial", "dead-2", 0, reclaimed));
  CHECK(!reclaimed);
}

TEST(without_locks_the_age_decides) {
  Place place;
  if (locks_work(place.root())) throw snapshard::test::Skipped("locks work");
  CHECK_OK(place.directory.make_directory("partial", true));
  CHECK_OK(place.directory.make_directory("partial/ranks", false));
  bool reclaimed = true;
  CHECK_OK(place.directory.reclaim("partial", "dead", 60, reclaimed));
  CHECK(!reclaimed);
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  CHECK(::utimensat(AT_FDCWD, place.at("partial").c_str(), old, 0) == 0);
  CHECK_OK(place.directory.reclaim("partial", "dead", 60, reclaimed));
  CHECK(!reclaimed);
  CHECK_OK(place.directory.reclaim("partial", "dead", 0, reclaimed));
  CHECK(reclaimed && exists(place.at("dead/ranks")));
}

TEST(rename_and_removal_give_up_the_hold) {
  const size_t before = snapshard::test::open_descriptors().size();
  Place place;
  if (!locks_work(place.root())) throw snapshard::test::Skipped("no locks");
  for (int round = 0; round < 3; ++round) {
    CHECK_OK(place.directory.make_directory("first", true));
    CHECK_OK(place.directory.make_directory("second", true));
    CHECK_OK(place.directory.rename("first", "final"));
    CHECK_OK(place.directory.remove_tree("second"));
    bool reclaimed = false;
    CHECK_OK(place.directory.reclaim("final", "dead", 1e9, reclaimed));
    CHECK(reclaimed);
    CHECK_OK(place.directory.remove_tree("dead"));
  }
  CHECK_EQUAL(snapshard::test::open_descriptors().size(), before + 1);
}

TEST(nothing_that_fails_keeps_a_descriptor) {
  Place place;
  CHECK_OK(place.write("file", "x"));
  const size_t before = snapshard::test::open_descriptors().size();
  std::vector<std::byte> bytes;
  std::vector<std::string> names;
  bool reclaimed = false;
  CHECK(!place.directory.read_file("file/x", 1, bytes).ok());
  CHECK(!place.directory.read_file("missing", 1, bytes).ok());
  CHECK(!place.directory.list("file", {}, names).ok());
  CHECK(!place.directory.make_directory("missing/dir", true).ok());
  CHECK(!place.directory.rename("file", "missing/file").ok());
  CHECK(!place.write("file", "y").ok());
  CHECK_OK(place.directory.reclaim("missing", "dead", 0, reclaimed));
  CHECK_EQUAL(snapshard::test::open_descriptors().size(), before);
}

TEST(what_one_may_not_remove_is_reported_as_such) {
  if (::geteuid() != 0) throw snapshard::test::Skipped("becoming another user needs root");
  Place place;
  CHECK_OK(place.directory.make_directory("sticky", false));
  CHECK_OK(place.write("sticky/file", "x"));
  CHECK(::chmod(place.outer.path().c_str(), 0755) == 0);
  CHECK(::chmod(place.at("sticky").c_str(), 01777) == 0);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    if (::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
    ::_exit(place.directory.remove_tree("sticky/file").error());
  }
  int ended = 0;
  CHECK(::waitpid(child, &ended, 0) == child && WIFEXITED(ended));
  CHECK_EQUAL(WEXITSTATUS(ended), EPERM);
}
