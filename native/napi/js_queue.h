#pragma once

#include <napi.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

namespace snapshard {

// The way from native threads to the JavaScript thread of one environment.
//
// 1. One thread-safe function per environment. It is referenced only while a promise of ours is pending: else an
//    awaited save would let Node exit, and an idle writer would keep it alive.
// 2. The environment's cleanup hook is added after the thread-safe function, so it runs first; it closes this queue,
//    ends the threads, then releases the function.
// 3. After close, posting does nothing, and nobody waits: threads that were left behind stay harmless.
class JsQueue {
 public:
  using Task = std::function<void(Napi::Env)>;

  explicit JsQueue(Napi::Env env);

  // From any thread. False once closed: the task is dropped.
  bool post(Task task);
  // Runs `task` on the JavaScript thread and waits for it. False once closed: it has not run, and never will. One at a
  // time: Node takes up to a thousand waiting tasks in one go, and would see to no timer and no socket meanwhile.
  bool run_and_wait(Task task);

  // JavaScript thread only.
  void hold();
  void let_go();
  void close();
  void release();

 private:
  struct Call;
  static void deliver(napi_env env, napi_value callback, void* context, void* data);

  napi_threadsafe_function function_ = nullptr;
  const napi_env env_;
  unsigned holds_ = 0;

  std::mutex turn_mutex_;
  std::mutex mutex_;
  std::condition_variable signal_;
  bool closed_ = false;
};

}  // namespace snapshard
