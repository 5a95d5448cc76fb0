#include <errno.h>

#include <memory>
#include <new>
#include <utility>

#include "napi/calls.h"
#include "napi/convert.h"
#include "napi/environment.h"
#include "transfer/file_probe.h"

namespace snapshard {

namespace {

Napi::Value from_probe(Napi::Env env, const ProbeOutcome& outcome, bool uring) {
  const auto number = [env](double value) { return Napi::Number::New(env, value); };
  Napi::Object result = Napi::Object::New(env);
  result.Set("bytes", number(static_cast<double>(outcome.bytes)));
  result.Set("direct", Napi::String::New(env, direct_name(outcome.direct)));
  result.Set("directReason", Napi::String::New(env, outcome.direct_reason));
  result.Set("engine", Napi::String::New(env, engine_name(uring && outcome.threads_reason.empty(), outcome.direct)));
  result.Set("threadsReason", Napi::String::New(env, outcome.threads_reason));
  result.Set("movedSeconds", number(outcome.moved_seconds));
  result.Set("seconds", number(outcome.seconds));
  result.Set("cpuSeconds", number(outcome.cpu_seconds));
  return result;
}

// Brings what native threads tell of one probe to its promise.
class Reporter final : public ProbeListener {
 public:
  Reporter(std::shared_ptr<Environment> environment, uint32_t handle, bool uring)
      : environment_(std::move(environment)), handle_(handle), uring_(uring) {}

  void on_ended(ProbeOutcome outcome) override {
    auto shared = std::make_shared<ProbeOutcome>(std::move(outcome));
    environment_->queue->post([environment = environment_, handle = handle_, uring = uring_, shared](Napi::Env env) {
      const auto entry = environment->probes.extract(handle);
      if (entry.empty()) return;
      const uint64_t promise = entry.mapped().promise;
      if (!shared->status.ok()) return environment->reject(env, promise, shared->status);
      environment->resolve(env, promise, from_probe(env, *shared, uring));
    });
  }

 private:
  const std::shared_ptr<Environment> environment_;
  const uint32_t handle_;
  const bool uring_;
};

// What `make(listener)` makes is started, and kept until it ends.
template <typename Make>
Napi::Value start_probe(Napi::Env env, Staging& staging, Make make) {
  const auto environment = Environment::of(env).shared_from_this();
  const uint32_t handle = environment->next_handle();
  const std::shared_ptr<Probe> probe = make(std::make_unique<Reporter>(environment, handle, staging.uses_uring()));
  Napi::Promise done;
  const uint64_t promise = environment->open_promise(env, done);
  environment->probes.emplace(handle, Environment::RunningProbe{probe, promise});
  probe->start();
  Napi::Object result = Napi::Object::New(env);
  result.Set("handle", Napi::Number::New(env, handle));
  result.Set("done", done);
  return result;
}

std::shared_ptr<Staging> staging_of(const Napi::CallbackInfo& info) {
  auto staging = Environment::of(info.Env()).find_staging(to_handle(info[0]));
  if (staging == nullptr) throw_closed(info.Env(), "staging");
  return staging;
}

IoOperation to_operation(const Napi::Value& value) {
  const std::string name = to_text(value, "an operation");
  if (name == "write") return IoOperation::kWrite;
  if (name == "read") return IoOperation::kRead;
  throw_argument(value.Env(), "the operation 'write' or 'read'");
}

Napi::Value begin_file_probe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto staging = staging_of(info);
  const auto store = Environment::of(env).find_store(to_handle(info[1]));
  if (store == nullptr) throw_closed(env, "store");
  FileProbe::Request request;
  request.operation = to_operation(info[2]);
  request.path = to_text(info[3], "a name");
  request.bytes = to_bytes(info[4], "bytes");
  // The directory lives as long as the store that owns it.
  const std::shared_ptr<DirectoryThread> directory(store, &store->thread);
  return start_probe(env, *staging, [&](std::unique_ptr<ProbeListener> listener) {
    return std::make_shared<FileProbe>(staging, directory, std::move(request), std::move(listener));
  });
}

Napi::Value begin_copy_probe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto staging = staging_of(info);
  const uint64_t bytes = to_bytes(info[1], "bytes");
  if (bytes == 0 || bytes > staging->options().staging_bytes / 2) {
    throw_argument(env, "bytes that the staging holds twice");
  }
  return start_probe(env, *staging, [&](std::unique_ptr<ProbeListener> listener) {
    return std::make_shared<CopyProbe>(staging, bytes, std::move(listener));
  });
}

template <Napi::Value (*Begin)(const Napi::CallbackInfo&)>
Napi::Value started(const Napi::CallbackInfo& info) {
  try {
    return Begin(info);
  } catch (const std::bad_alloc&) {
    throw_status(info.Env(), Status::system(ENOMEM, "malloc"));
  }
}

Napi::Value abort_probe(const Napi::CallbackInfo& info) {
  const auto& probes = Environment::of(info.Env()).probes;
  const auto entry = probes.find(to_handle(info[0]));
  if (entry != probes.end()) {
    entry->second.probe->fail(Status::failure(Failure::kAborted, "the probe was aborted"));
  }
  return info.Env().Undefined();
}

}  // namespace

void export_probe_calls(Napi::Env env, Napi::Object exports) {
  export_call<started<begin_file_probe>>(env, exports, "startFileProbe");
  export_call<started<begin_copy_probe>>(env, exports, "startCopyProbe");
  export_call<abort_probe>(env, exports, "abortProbe");
}

}  // namespace snapshard
