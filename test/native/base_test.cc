#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "base/task_thread.h"
#include "base/unique_fd.h"
#include "base/worker.h"
#include "files.h"
#include "test.h"

using snapshard::Failure;
using snapshard::Status;
using snapshard::TaskThread;
using snapshard::UniqueFd;
using snapshard::Worker;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(status_says_what_the_system_said) {
  const Status status = Status::system(ENOSPC, "fallocate", "a/b");
  CHECK(!status.ok() && status.kind() == Failure::kSystem);
  CHECK_EQUAL(status.error(), ENOSPC);
  CHECK_EQUAL(std::string(status.error_name()), "ENOSPC");
  CHECK_EQUAL(std::string(status.syscall()), "fallocate");
  CHECK_EQUAL(status.path(), "a/b");
  CHECK(status.message().find("a/b") != std::string::npos);
  CHECK(Status().ok());
  CHECK_EQUAL(std::string(Status().error_name()), "");
  CHECK_EQUAL(std::string(snapshard::error_name(123456)), "");
  CHECK_EQUAL(Status::failure(Failure::kAborted, "why").message(), "why");
}

TEST(descriptors_are_closed_once) {
  const size_t before = snapshard::test::open_descriptors().size();
  {
    UniqueFd first(::open("/dev/null", O_RDONLY));
    UniqueFd second = std::move(first);
    CHECK(!first.valid() && second.valid());
    second = UniqueFd(::open("/dev/zero", O_RDONLY));
    UniqueFd third(second.release());
    third = std::move(third);
    CHECK(third.valid());
  }
  CHECK_EQUAL(snapshard::test::open_descriptors().size(), before);
}

TEST(closing_keeps_errno) {
  {
    const UniqueFd gone(1'000'000);
    errno = ENOENT;
  }
  CHECK_EQUAL(errno, ENOENT);
}

TEST(worker_is_waited_for_within_a_bound) {
  std::promise<void> gate;
  Worker worker;
  CHECK(worker.join_within(milliseconds(0)));
  worker.start("test", [wait = gate.get_future().share()] { wait.wait(); });
  CHECK(!worker.join_within(milliseconds(20)));
  gate.set_value();
  CHECK(worker.join_within(seconds(30)));
  CHECK(worker.join_within(seconds(0)));
}

TEST(worker_counts_processor_time) {
  Worker worker;
  CHECK_EQUAL(worker.cpu_seconds(), 0.0);
  std::atomic<bool> end{false};
  worker.start("test", [&end] {
    while (!end) {
    }
  });
  while (worker.cpu_seconds() < 0.01) std::this_thread::yield();
  end = true;
  CHECK(worker.join_within(seconds(30)));
  CHECK(worker.cpu_seconds() >= 0.01);
}

// Signals belong to the host's own threads: a handler of Node never runs on ours, and a file-size limit is EFBIG.
TEST(worker_takes_no_signals) {
  sigset_t blocked;
  Worker worker;
  worker.start("test", [&blocked] { ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked); });
  CHECK(worker.join_within(seconds(30)));
  CHECK(::sigismember(&blocked, SIGTERM) == 1 && ::sigismember(&blocked, SIGXFSZ) == 1);
  CHECK(::sigismember(&blocked, SIGSEGV) == 0 && ::sigismember(&blocked, SIGABRT) == 0);
  sigset_t own;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &own);
  CHECK(::sigismember(&own, SIGTERM) == 0);
}

TEST(tasks_run_in_order) {
  TaskThread thread;
  thread.start("test");
  std::vector<int> order;
  std::promise<void> last;
  for (int i = 0; i < 100; ++i) {
    thread.post([&order, i](bool cancelled) { order.push_back(cancelled ? -1 : i); });
  }
  thread.post([&last](bool) { last.set_value(); });
  last.get_future().wait();
  CHECK(thread.stop(seconds(30)));
  CHECK_EQUAL(order.size(), 100U);
  for (int i = 0; i < 100; ++i) CHECK_EQUAL(order[static_cast<size_t>(i)], i);
}

TEST(every_task_is_called_once_even_when_stopped) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> run{0};
    std::atomic<int> cancelled{0};
    TaskThread thread;
    thread.start("test");
    std::thread poster([&] {
      for (int i = 0; i < 200; ++i) {
        thread.post([&, i](bool late) {
          ++(late ? cancelled : run);
          // A task may post another, whatever the thread is doing.
          if (i % 10 == 0) thread.post([&](bool later) { ++(later ? cancelled : run); });
        });
      }
    });
    if (round % 2 == 0) std::this_thread::yield();
    CHECK(thread.stop(seconds(30)));
    poster.join();
    CHECK_EQUAL(run + cancelled, 220);
  }
}

TEST(a_task_that_hangs_is_not_waited_for) {
  std::promise<void> gate;
  TaskThread thread;
  thread.start("test");
  thread.post([wait = gate.get_future().share()](bool) { wait.wait(); });
  CHECK(!thread.stop(milliseconds(20)));
  gate.set_value();
  CHECK(thread.stop(seconds(30)));
}
