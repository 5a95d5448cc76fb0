#include "io/thread_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "base/sizes.h"

namespace snapshard {

namespace {

constexpr uint64_t kPageBytes = 4096;

int write_back(int fd, uint64_t offset, uint64_t bytes) {
  const auto start = static_cast<off_t>(offset);
  const auto length = static_cast<off_t>(bytes);
  constexpr unsigned kFlags = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
  // A file system that does not know the call is synced by fdatasync at the end; an error of the device counts.
  if (::sync_file_range(fd, start, length, kFlags) != 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT)) {
    return errno;
  }
  (void)::posix_fadvise(fd, start, length, POSIX_FADV_DONTNEED);
  return 0;
}

int64_t read_once(const IoRequest& request) {
  const auto offset = static_cast<off_t>(request.offset);
  const ssize_t got = ::pread(request.fd, request.data, request.bytes, offset);
  if (got < 0) return -errno;
  if (request.buffered && got > 0) {
    // Whole pages only: those that this read shares with its neighbours are dropped by both.
    const uint64_t start = round_down(request.offset, kPageBytes);
    const uint64_t end = round_up(request.offset + static_cast<uint64_t>(got), kPageBytes);
    (void)::posix_fadvise(request.fd, static_cast<off_t>(start), static_cast<off_t>(end - start), POSIX_FADV_DONTNEED);
  }
  return got;
}

int64_t write_once(const IoRequest& request) {
  const ssize_t written = ::pwrite(request.fd, request.data, request.bytes, static_cast<off_t>(request.offset));
  if (written < 0) return -errno;
  if (request.buffered && written > 0) {
    const int error = write_back(request.fd, request.offset, static_cast<uint64_t>(written));
    if (error != 0) return -error;
  }
  return written;
}

int64_t run_once(const IoRequest& request) {
  return request.operation == IoOperation::kRead ? read_once(request) : write_once(request);
}

}  // namespace

void ThreadEngine::submit(IoRequest* request) {
  int error = EAGAIN;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      error = ECANCELED;
    } else if (ensure_thread()) {
      queue_.push(request);
      ++queued_;
      work_signal_.notify_one();
      return;
    }
  }
  request->listener->on_completed(*request, -error);
}

// Whether some thread will take one more request.
bool ThreadEngine::ensure_thread() {
  if (idle_ > queued_ || started_ == kThreads) return true;
  try {
    workers_[started_].start("snapshard-block", [this] { run(); });
    ++started_;
  } catch (const std::system_error&) {
    // No further thread to be had: those that run do the work.
  }
  return started_ > 0;
}

void ThreadEngine::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    work_signal_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    IoRequest* request = queue_.pop();
    if (request == nullptr) return;
    --queued_;
    lock.unlock();
    request->listener->on_completed(*request, run_once(*request));
    lock.lock();
  }
}

bool ThreadEngine::stop(std::chrono::milliseconds limit) {
  size_t started = 0;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    started = started_;
    work_signal_.notify_all();
  }
  const auto deadline = std::chrono::steady_clock::now() + limit;
  bool all_ended = true;
  for (size_t i = 0; i < started; ++i) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    all_ended = workers_[i].join_within(std::max(left, std::chrono::milliseconds(0))) && all_ended;
  }
  return all_ended;
}

double ThreadEngine::cpu_seconds() const {
  const std::lock_guard lock(mutex_);
  double seconds = 0;
  for (size_t i = 0; i < started_; ++i) seconds += workers_[i].cpu_seconds();
  return seconds;
}

}  // namespace snapshard
