#include "io/thread_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

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
    } else {
      Share& share = shares_[request->owner];
      ++share.queued;
      if (ensure_thread()) {
        share.queue.push(request);
        work_signal_.notify_one();
        return;
      }
      if (--share.queued == 0) shares_.erase(request->owner);
    }
  }
  request->listener->on_completed(*request, -error);
}

// Whether some thread will take what is queued.
bool ThreadEngine::ensure_thread() {
  size_t runnable = 0;
  for (const auto& [owner, share] : shares_) runnable += std::min(share.queued, kThreads - share.running);
  if (idle_ >= runnable && !workers_.empty()) return true;
  try {
    auto worker = std::make_unique<Worker>();
    worker->start("snapshard-block", [this] { run(); });
    workers_.push_back(std::move(worker));
  } catch (const std::system_error&) {
    // No further thread to be had: those that run do the work.
  }
  return !workers_.empty();
}

// The owners take turns; the end, where none of them has anything for one more thread.
ThreadEngine::Shares::iterator ThreadEngine::next_share() {
  auto share = shares_.upper_bound(last_owner_);
  for (size_t i = 0; i < shares_.size(); ++i, ++share) {
    if (share == shares_.end()) share = shares_.begin();
    if (is_runnable(share->second)) return share;
  }
  return shares_.end();
}

void ThreadEngine::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    auto share = shares_.end();
    ++idle_;
    work_signal_.wait(lock, [this, &share] {
      share = next_share();
      return stopping_ || share != shares_.end();
    });
    --idle_;
    if (share == shares_.end()) return;
    last_owner_ = share->first;
    IoRequest* request = share->second.queue.pop();
    --share->second.queued;
    ++share->second.running;
    lock.unlock();
    request->listener->on_completed(*request, run_once(*request));
    lock.lock();
    if (--share->second.running == 0 && share->second.queued == 0) shares_.erase(share);
  }
}

bool ThreadEngine::stop(std::chrono::milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_signal_.notify_all();
  }
  const auto deadline = std::chrono::steady_clock::now() + limit;
  bool all_ended = true;
  // None is started any more.
  for (const auto& worker : workers_) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    all_ended = worker->join_within(std::max(left, std::chrono::milliseconds(0))) && all_ended;
  }
  return all_ended;
}

double ThreadEngine::cpu_seconds() const {
  const std::lock_guard lock(mutex_);
  double seconds = 0;
  for (const auto& worker : workers_) seconds += worker->cpu_seconds();
  return seconds;
}

}  // namespace snapshard
