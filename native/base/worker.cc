#include "base/worker.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <condition_variable>
#include <mutex>
#include <utility>

namespace snapshard {

namespace {

double clock_seconds(clockid_t clock) {
  timespec now{};
  if (::clock_gettime(clock, &now) != 0) return 0;
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Signals are for the host's own threads; a limit on file sizes is then EFBIG here, and no SIGXFSZ. Those that a fault
// of the code itself raises stay: blocked, they would end the process without a trace.
void block_signals() {
  sigset_t signals;
  ::sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) ::sigdelset(&signals, fault);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

struct Worker::State {
  std::mutex mutex;
  std::condition_variable ended_signal;
  bool ended = false;
  double final_cpu_seconds = 0;
};

Worker::~Worker() {
  if (thread_.joinable()) thread_.detach();
}

void Worker::start(const char* name, std::function<void()> body) {
  state_ = std::make_shared<State>();
  thread_ = std::thread([state = state_, body = std::move(body)]() mutable {
    block_signals();
    body();
    body = nullptr;
    const std::lock_guard lock(state->mutex);
    state->final_cpu_seconds = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
    state->ended = true;
    state->ended_signal.notify_all();
  });
  ::pthread_setname_np(thread_.native_handle(), name);
}

bool Worker::join_within(std::chrono::milliseconds limit) {
  if (!thread_.joinable()) return true;
  {
    std::unique_lock lock(state_->mutex);
    if (!state_->ended_signal.wait_for(lock, limit, [this] { return state_->ended; })) return false;
  }
  thread_.join();
  return true;
}

double Worker::cpu_seconds() const {
  if (state_ == nullptr) return 0;
  const std::lock_guard lock(state_->mutex);
  if (state_->ended || !thread_.joinable()) return state_->final_cpu_seconds;
  clockid_t clock{};
  // The thread cannot end here: its last act needs the mutex.
  if (::pthread_getcpuclockid(const_cast<std::thread&>(thread_).native_handle(), &clock) != 0) return 0;
  return clock_seconds(clock);
}

}  // namespace snapshard
