#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "base/worker.h"

namespace snapshard {

// A thread that runs tasks one at a time, in the order they came.
class TaskThread {
 public:
  // Called once, whatever happens: `cancelled` when the thread was stopped before the task began.
  using Task = std::function<void(bool cancelled)>;

  // `name` has at most 15 characters. Throws std::system_error when no thread can be had.
  void start(const char* name);
  // From any thread.
  void post(Task task);
  // Cancels the tasks not begun. False when the one under way did not end within the limit.
  bool stop(std::chrono::milliseconds limit);
  [[nodiscard]] double cpu_seconds() const { return worker_.cpu_seconds(); }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable signal_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  Worker worker_;
};

}  // namespace snapshard
