#pragma once

#include <functional>
#include <utility>

#include "base/task_thread.h"
#include "io/directory.h"

namespace snapshard {

// A directory and the one thread that touches it: a mount that hangs holds up nobody else.
class DirectoryThread {
 public:
  // Called once, whatever happens: with nullptr when the thread was stopped before the task began.
  using Task = std::function<void(Directory*)>;

  void start() { thread_.start("snapshard-files"); }
  // From any thread; in order.
  void post(Task task) {
    thread_.post([this, run = std::move(task)](bool cancelled) { run(cancelled ? nullptr : &directory_); });
  }
  bool stop(std::chrono::milliseconds limit) { return thread_.stop(limit); }
  [[nodiscard]] double cpu_seconds() const { return thread_.cpu_seconds(); }

 private:
  Directory directory_;
  TaskThread thread_;
};

}  // namespace snapshard
