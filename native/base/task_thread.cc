#include "base/task_thread.h"

#include <utility>

namespace snapshard {

void TaskThread::start(const char* name) {
  worker_.start(name, [this] { run(); });
}

void TaskThread::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      tasks_.push_back(std::move(task));
      signal_.notify_one();
      return;
    }
  }
  task(true);
}

void TaskThread::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    signal_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (stopping_) break;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task(false);
    task = nullptr;
    lock.lock();
  }
  const std::deque<Task> cancelled = std::move(tasks_);
  lock.unlock();
  for (const Task& task : cancelled) task(true);
}

bool TaskThread::stop(std::chrono::milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    signal_.notify_one();
  }
  return worker_.join_within(limit);
}

}  // namespace snapshard
