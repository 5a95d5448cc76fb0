// The end of an engine, and who owns whom.
#include "transfer/engine.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <iterator>
#include <thread>

#include "random.h"
#include "rig.h"
#include "test.h"

using snapshard::Engine;
using snapshard::EngineChoice;
using snapshard::Failure;
using snapshard::kMiB;
using snapshard::SourceKind;
using snapshard::Staging;
using snapshard::Transfer;
using snapshard::UniqueFd;
using snapshard::test::all_kinds;
using snapshard::test::options_of;
using snapshard::test::Plan;
using snapshard::test::PlanBuilder;
using snapshard::test::Random;
using snapshard::test::random_plan;
using snapshard::test::Rig;
using snapshard::test::Running;
using snapshard::test::Skipped;
using snapshard::test::with_no_descriptor_lost;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Memory whose first touch waits until the object lets go: a device that does not answer, as seen by a stager.
class HangingMemory {
 public:
  explicit HangingMemory(size_t bytes) : bytes_(bytes) {
    fault_fd_ = UniqueFd(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC)));
    if (!fault_fd_.valid()) throw Skipped(std::string("userfaultfd: ") + std::strerror(errno));
    void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(start != MAP_FAILED);
    data_ = static_cast<std::byte*>(start);
    uffdio_api api{};
    api.api = UFFD_API;
    CHECK(::ioctl(fault_fd_.get(), UFFDIO_API, &api) == 0);
    uffdio_register area{};
    area.range = {reinterpret_cast<uint64_t>(data_), bytes_};
    area.mode = UFFDIO_REGISTER_MODE_MISSING;
    CHECK(::ioctl(fault_fd_.get(), UFFDIO_REGISTER, &area) == 0);
  }
  ~HangingMemory() { ::munmap(data_, bytes_); }
  HangingMemory(const HangingMemory&) = delete;
  HangingMemory& operator=(const HangingMemory&) = delete;

  // Somebody waits now.
  void wait_for_touch() const {
    uffd_msg message{};
    CHECK(::read(fault_fd_.get(), &message, sizeof(message)) == sizeof(message));
    CHECK(message.event == UFFD_EVENT_PAGEFAULT);
  }
  // Whoever waits finds zeros.
  void let_go() { fault_fd_.reset(); }
  [[nodiscard]] const std::byte* data() const { return data_; }

 private:
  size_t bytes_;
  std::byte* data_ = nullptr;
  UniqueFd fault_fd_;
};

void deny_threads() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {static_cast<unsigned short>(std::size(program)), program};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    ::_exit(2);
  }
}

void stop_with_transfers_under_way() {
  Random random(1);
  for (int round = 0; round < 40; ++round) {
    std::weak_ptr<Engine> engine;
    std::vector<std::weak_ptr<Staging>> stagings;
    std::vector<std::weak_ptr<Transfer>> transfers;
    {
      Rig rig;
      engine = rig.engine();
      std::vector<Running> all;
      for (const EngineChoice choice : {EngineChoice::kAuto, EngineChoice::kThreads}) {
        const auto staging = rig.staging(options_of(choice, random.one_in(2), 3));
        stagings.push_back(staging);
        for (int i = 0; i < 3; ++i) {
          all.push_back(rig.start(staging, random_plan(random, rig.folder(), all_kinds(), 8 * kMiB)));
          transfers.push_back(all.back().transfer);
        }
        if (!random.one_in(4)) rig.open(all.back());
        if (!random.one_in(4)) rig.open(all[all.size() - 3]);
      }
      std::this_thread::sleep_for(microseconds(random.up_to(6000)));
      CHECK(rig.stop(seconds(60)));
      for (const Running& running : all) {
        if (!running.outcome().status.ok()) CHECK(running.outcome().status.kind() == Failure::kAborted);
      }
    }
    CHECK(engine.expired());
    for (const auto& staging : stagings) CHECK(staging.expired());
    for (const auto& transfer : transfers) CHECK(transfer.expired());
  }
}

// The pool goes with its last owner, which may be any thread that just ended a transfer, the ring's included.
void staging_let_go_right_after_the_end() {
  Random random(2);
  Rig rig;
  for (int round = 0; round < 150; ++round) {
    auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 3));
    std::weak_ptr<Staging> weak = staging;
    {
      PlanBuilder builder(random, rig.folder());
      builder.add_file(4096);
      builder.add_slice(3 * kMiB, SourceKind::kShared);
      const Running running = rig.start(staging, builder.finish());
      rig.open(running);
      std::this_thread::sleep_for(microseconds(random.up_to(2500)));
      running.abort();
      // Without a pause: whoever ended it is still on its way back.
      while (!running.watch->has_ended()) {
      }
    }
    rig.engine()->remove(staging.get());
    staging.reset();
    for (int i = 0; i < 6000 && !weak.expired(); ++i) std::this_thread::sleep_for(milliseconds(1));
    CHECK(weak.expired());
  }
}

void stop_while_a_staging_is_made() {
  Random random(3);
  for (int round = 0; round < 40; ++round) {
    Rig rig;
    std::weak_ptr<Staging> made;
    std::thread maker([&] {
      std::shared_ptr<Staging> staging;
      if (Staging::create(rig.engine(), options_of(EngineChoice::kAuto, true, 2), staging).ok()) made = staging;
    });
    std::this_thread::sleep_for(microseconds(random.up_to(3000)));
    CHECK(rig.stop(seconds(60)));
    maker.join();
    CHECK(made.expired());
  }
}

void stop_gives_up_on_what_hangs() {
  HangingMemory memory(2 * kMiB);
  Random random(4);
  Rig rig;
  const auto staging = rig.staging(options_of(EngineChoice::kAuto, true, 3));
  PlanBuilder builder(random, rig.folder());
  builder.add_file(4096);
  builder.add_slice(2 * kMiB, SourceKind::kShared);
  Plan plan = builder.finish();
  plan.sources[0].data = memory.data();
  const Running running = rig.start(staging, std::move(plan));
  rig.open(running);
  memory.wait_for_touch();
  const auto before = std::chrono::steady_clock::now();
  CHECK(!rig.stop(milliseconds(200)));
  CHECK(std::chrono::steady_clock::now() - before < seconds(30));
  CHECK(!running.watch->has_ended());
  memory.let_go();
  CHECK(rig.stop(seconds(60)));
  CHECK(running.outcome().status.kind() == Failure::kAborted);
}

// The stagers of one wait for it, those of the other go on.
void what_hangs_holds_up_nobody_else() {
  HangingMemory memory(2 * kMiB);
  Random random(5);
  Rig rig;
  const auto hanging = rig.staging(options_of(EngineChoice::kAuto, true, 3));
  const auto healthy = rig.staging(options_of(EngineChoice::kAuto, true, 3));
  PlanBuilder builder(random, rig.folder());
  builder.add_file(4096);
  // A piece of work for each of its stagers.
  for (unsigned i = 0; i < hanging->options().threads; ++i) builder.add_slice(kMiB, SourceKind::kShared);
  Plan plan = builder.finish();
  for (auto& source : plan.sources) source.data = memory.data();
  const Running waiting = rig.start(hanging, std::move(plan));
  rig.open(waiting);
  memory.wait_for_touch();
  const Running going = rig.start(healthy, random_plan(random, rig.folder(), {SourceKind::kShared}, 8 * kMiB));
  rig.open(going);
  CHECK_OK(going.outcome().status);
  CHECK(!waiting.watch->has_ended());
  memory.let_go();
  CHECK_OK(waiting.outcome().status);
}

// Where no thread can be had, and whoever asks gets an error for it. In a process of its own, since a filter stays.
void no_threads_left() {
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    auto engine = std::make_shared<Engine>();
    deny_threads();
    std::shared_ptr<Staging> staging;
    const bool refused = Staging::create(engine, options_of(EngineChoice::kAuto, true, 2), staging).error() == EAGAIN;
    ::_exit(refused && engine->stop(seconds(1)) ? 0 : 1);
  }
  int ended = 0;
  CHECK(::waitpid(child, &ended, 0) == child);
  CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

void nothing_starts_after_the_end() {
  Rig rig;
  const auto before = rig.staging(options_of(EngineChoice::kAuto, true, 2));
  CHECK(rig.stop(seconds(60)));
  std::shared_ptr<Staging> staging;
  CHECK(!Staging::create(rig.engine(), options_of(EngineChoice::kThreads, true, 2), staging).ok());
  CHECK(staging == nullptr);
}

}  // namespace

TEST(an_engine_ends_with_transfers_under_way) { with_no_descriptor_lost(stop_with_transfers_under_way); }
TEST(a_staging_goes_right_after_its_transfers) { with_no_descriptor_lost(staging_let_go_right_after_the_end); }
TEST(an_engine_ends_while_a_staging_is_made) { with_no_descriptor_lost(stop_while_a_staging_is_made); }
TEST(an_engine_gives_up_on_what_hangs) { with_no_descriptor_lost(stop_gives_up_on_what_hangs); }
TEST(what_hangs_holds_up_no_other_staging) { with_no_descriptor_lost(what_hangs_holds_up_nobody_else); }
TEST(an_engine_without_threads_is_an_error) { no_threads_left(); }
TEST(an_engine_that_ended_takes_nothing) { with_no_descriptor_lost(nothing_starts_after_the_end); }
