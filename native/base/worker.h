#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace snapshard {

// A thread that can be waited for within a bound, and left behind when it does not come back (a device that never
// answers). Whatever its body uses must be owned by the body, or outlive the process.
class Worker {
 public:
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  // A worker still running is left behind.
  ~Worker();

  // `name` has at most 15 characters. Once per object. Throws std::system_error when no thread can be had.
  void start(const char* name, std::function<void()> body);
  // Whether the body has returned within the time; the thread is joined then. True when never started.
  bool join_within(std::chrono::milliseconds limit);
  // Processor seconds that the body used so far.
  [[nodiscard]] double cpu_seconds() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace snapshard
