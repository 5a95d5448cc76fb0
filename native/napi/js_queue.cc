#include "napi/js_queue.h"

#include <utility>

namespace snapshard {

struct JsQueue::Call {
  Task task;
};

JsQueue::JsQueue(Napi::Env env) : env_(env) {
  const Napi::String name = Napi::String::New(env, "snapshard");
  const napi_status made = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                                           deliver, &function_);
  if (made != napi_ok) throw Napi::Error::New(env, "Snapshard could not make its thread-safe function.");
  napi_unref_threadsafe_function(env, function_);
}

void JsQueue::deliver(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Call> call(static_cast<Call*>(data));
  // The environment is ending: there is nobody to tell.
  if (env == nullptr) return;
  try {
    call->task(Napi::Env(env));
  } catch (const Napi::Error&) {
    // Only an environment that is ending refuses what our tasks do: there is nobody to tell.
  }
}

bool JsQueue::post(Task task) {
  auto call = std::make_unique<Call>(Call{std::move(task)});
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  if (napi_call_threadsafe_function(function_, call.get(), napi_tsfn_nonblocking) != napi_ok) return false;
  (void)call.release();
  return true;
}

bool JsQueue::run_and_wait(Task task) {
  const std::lock_guard turn(turn_mutex_);
  const auto done = std::make_shared<bool>(false);
  const bool posted = post([this, done, run = std::move(task)](Napi::Env env) {
    run(env);
    const std::lock_guard lock(mutex_);
    *done = true;
    signal_.notify_all();
  });
  if (!posted) return false;
  std::unique_lock lock(mutex_);
  signal_.wait(lock, [this, &done] { return *done || closed_; });
  return *done;
}

void JsQueue::hold() {
  if (holds_++ == 0) napi_ref_threadsafe_function(env_, function_);
}

void JsQueue::let_go() {
  if (--holds_ == 0) napi_unref_threadsafe_function(env_, function_);
}

void JsQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  signal_.notify_all();
}

void JsQueue::release() { napi_release_threadsafe_function(function_, napi_tsfn_abort); }

}  // namespace snapshard
