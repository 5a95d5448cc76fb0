// Transfers that fail: each with the status that says why, nothing left behind, and the next one whole.
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "faults.h"
#include "random.h"
#include "test.h"

using snapshard::Direct;
using snapshard::EngineChoice;
using snapshard::Failure;
using snapshard::kKiB;
using snapshard::kMiB;
using snapshard::SourceKind;
using snapshard::Staging;
using snapshard::UniqueFd;
using snapshard::test::all_kinds;
using snapshard::test::check_failed;
using snapshard::test::check_pool;
using snapshard::test::check_usable;
using snapshard::test::descriptor_of;
using snapshard::test::for_each_way;
using snapshard::test::lease_plan;
using snapshard::test::options_of;
using snapshard::test::plan_of;
using snapshard::test::PlanBuilder;
using snapshard::test::Random;
using snapshard::test::random_plan;
using snapshard::test::Rig;
using snapshard::test::Running;
using snapshard::test::Skipped;
using snapshard::test::with_no_descriptor_lost;

namespace {

// Everything that was posted to the directory's thread so far is done.
void pass_directory(const Rig& rig) {
  std::promise<void> passed;
  rig.directory()->post([&passed](snapshard::Directory*) { passed.set_value(); });
  passed.get_future().wait();
}

// A transfer whose file is there, and of which nothing is staged before `let_go`: another one has the pool.
struct Held {
  Held(Rig& rig, const std::shared_ptr<Staging>& staging, uint64_t bytes)
      : gate(rig.start(staging, plan_of(rig, staging->options().staging_bytes + kMiB, SourceKind::kBuffer))),
        running(rig.start(staging, plan_of(rig, bytes, SourceKind::kBuffer))) {
    rig.open(running);
    pass_directory(rig);
    descriptor = descriptor_of(running.paths[0]);
    CHECK(descriptor >= 0);
  }

  void let_go() const {
    gate.abort();
    (void)gate.outcome();
  }

  Running gate;
  Running running;
  int descriptor;
};

// The limit holds for the whole process; it is lifted with the object.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t bytes) {
    CHECK(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    CHECK(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() { (void)::setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

void files_that_cannot_be_made(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 2));
  const auto check_error = [&](const std::string& name, int error) {
    Running running = rig.start(staging, plan_of(rig, 5 * kMiB, SourceKind::kBuffer));
    running.names = {name};
    rig.open(running);
    check_failed(running, Failure::kSystem, error);
    CHECK_EQUAL(running.outcome().status.path(), name);
    check_usable(rig, staging);
  };
  snapshard::test::write_whole(rig.folder().at("taken"), {});
  check_error("taken", EEXIST);
  check_error("../outside", EXDEV);
  check_error("missing/file", ENOENT);
  check_error("taken/file", ENOTDIR);
}

void writes_that_fail(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3));
  for (const auto& [path, flags, error] : {std::tuple{"/dev/full", O_WRONLY, ENOSPC},
                                           {"/dev/zero", O_RDONLY, EBADF},
                                           // What is at its first addresses is no memory.
                                           {"/proc/self/mem", O_RDWR, EIO}}) {
    const Held held(rig, staging, 9 * kMiB);
    const UniqueFd other(::open(path, flags));
    CHECK(::dup2(other.get(), held.descriptor) == held.descriptor);
    held.let_go();
    check_failed(held.running, Failure::kSystem, error);
    CHECK_EQUAL(std::string(held.running.outcome().status.syscall()), "write");
    CHECK_EQUAL(held.running.outcome().status.path(), held.running.names[0]);
    check_usable(rig, staging);
  }
}

// At an aligned length a direct write comes short, then fails; at any other it fails, and a buffered one comes short.
void writes_that_come_short(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3));
  for (const uint64_t limit : {2 * kMiB + 8192, 2 * kMiB + 1000}) {
    const Held held(rig, staging, 5 * kMiB);
    {
      const FileSizeLimit file_size(limit);
      held.let_go();
      (void)held.running.outcome();
    }
    check_failed(held.running, Failure::kSystem, EFBIG);
    check_usable(rig, staging);
  }
}

void files_that_cannot_grow(EngineChoice engine, bool direct) {
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 3));
  Running running;
  {
    const FileSizeLimit file_size(2 * kMiB);
    running = rig.start(staging, plan_of(rig, 5 * kMiB, SourceKind::kShared));
    rig.open(running);
    (void)running.outcome();
  }
  check_failed(running, Failure::kSystem, EFBIG);
  CHECK_EQUAL(std::string(running.outcome().status.syscall()), "fallocate");
  check_usable(rig, staging);
}

void aborts_at_any_moment(EngineChoice engine, bool direct) {
  Random random(engine == EngineChoice::kAuto ? 3 : 4);
  Rig rig;
  const auto staging = rig.staging(options_of(engine, direct, 4));
  for (int round = 0; round < 60; ++round) {
    const bool in_place = random.one_in(3);
    const Running running = rig.start(staging,
                                      in_place ? lease_plan(random, rig.folder(), 6 * kMiB)
                                               : random_plan(random, rig.folder(), all_kinds(), 12 * kMiB),
                                      in_place);
    std::thread aborter([&running, pause = std::chrono::microseconds(random.up_to(6000))] {
      std::this_thread::sleep_for(pause);
      running.abort();
    });
    if (!random.one_in(4)) rig.open(running);
    aborter.join();
    if (running.outcome().status.ok()) {
      running.check();
    } else {
      check_failed(running, Failure::kAborted);
    }
    check_pool(*staging);
    rig.remove_files(running);
  }
  check_usable(rig, staging);
}

void directories_that_close_early(EngineChoice engine, bool direct) {
  Random random(5);
  for (int round = 0; round < 12; ++round) {
    Rig rig;
    const auto staging = rig.staging(options_of(engine, direct, 3));
    PlanBuilder builder(random, rig.folder());
    for (int file = 0; file < 12; ++file) {
      builder.add_file(4096);
      builder.add_slice(kMiB / 2, SourceKind::kShared);
    }
    const Running running = rig.start(staging, builder.finish());
    rig.open(running);
    std::this_thread::sleep_for(std::chrono::microseconds(random.up_to(8000)));
    CHECK(rig.directory()->stop(std::chrono::seconds(60)));
    if (running.outcome().status.ok()) {
      running.check();
    } else {
      check_failed(running, Failure::kAborted);
    }
    check_pool(*staging);
  }
}

// The one in front waits for two blocks, where one is left; the one behind it needs only that.
void the_next_goes_on_when_one_is_given_up() {
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 2));
  const Running holder = rig.start(staging, plan_of(rig, 1000, SourceKind::kBuffer));
  holder.watch->wait_until_staged();
  const Running front = rig.start(staging, plan_of(rig, 2 * kMiB, SourceKind::kBuffer));
  const Running next = rig.start(staging, plan_of(rig, 1000, SourceKind::kBuffer));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(!next.watch->was_staged());
  front.abort();
  next.watch->wait_until_staged();
  rig.open(holder);
  rig.open(next);
  holder.check();
  next.check();
}

}  // namespace

TEST(files_are_not_made) { for_each_way(files_that_cannot_be_made); }
TEST(writes_fail) { for_each_way(writes_that_fail); }
TEST(writes_come_short) { for_each_way(writes_that_come_short); }
TEST(preallocation_fails) { for_each_way(files_that_cannot_grow); }
TEST(aborts) { for_each_way(aborts_at_any_moment); }
TEST(directories_close) { for_each_way(directories_that_close_early); }
TEST(a_transfer_given_up_is_out_of_the_way) { with_no_descriptor_lost(the_next_goes_on_when_one_is_given_up); }

// Run under `deny pwrite64/4096=EINVAL`, which refuses what a direct write of the tail looks like.
TEST(direct_writes_that_are_refused_become_buffered) {
  Rig rig;
  const std::vector<std::byte> page(4096);
  const UniqueFd probe(::open(rig.folder().at("probe").c_str(), O_WRONLY | O_CREAT, 0600));
  if (::pwrite(probe.get(), page.data(), page.size(), 0) >= 0) throw Skipped("the kernel takes aligned writes");
  const auto staging = rig.staging(options_of(EngineChoice::kThreads, true, 2));
  const Running running = rig.start(staging, plan_of(rig, 300 * kKiB + 1, SourceKind::kShared));
  rig.open(running);
  running.check();
  CHECK(running.outcome().direct == Direct::kNo);
  CHECK(running.outcome().direct_reason.find("refused a direct write") != std::string::npos);
  // One that is refused buffered too is an error.
  const Running whole = rig.start(staging, plan_of(rig, 3 * kMiB, SourceKind::kShared));
  rig.open(whole);
  check_failed(whole, Failure::kSystem, EINVAL);
  check_pool(*staging);
}
