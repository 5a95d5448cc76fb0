#include <errno.h>

#include <memory>
#include <new>
#include <utility>

#include "napi/calls.h"
#include "napi/convert.h"
#include "napi/environment.h"
#include "napi/read_request.h"

namespace snapshard {

namespace {

// The unit of integrity with what alignment adds on either side fits in one block.
constexpr uint64_t kReadBlockBytesMin = 2 * kChunkBytes;

// Brings what native threads tell of one read to its promise.
class Reporter final : public ReadListener {
 public:
  Reporter(std::shared_ptr<Environment> environment, uint32_t handle, bool uring)
      : environment_(std::move(environment)), handle_(handle), uring_(uring) {}

  Status copy(std::span<const TargetCopy> copies) override {
    Status status = Status::failure(Failure::kAborted, "the environment is ending");
    environment_->queue->run_and_wait([this, &status, copies](Napi::Env) {
      const auto entry = environment_->reads.find(handle_);
      if (entry != environment_->reads.end()) status = copy_to_targets(entry->second.targets, copies);
    });
    return status;
  }

  void on_ended(ReadOutcome outcome) override {
    const double cpu_seconds = environment_->engine->cpu_seconds();
    auto shared = std::make_shared<ReadOutcome>(std::move(outcome));
    environment_->queue->post(
        [environment = environment_, handle = handle_, uring = uring_, cpu_seconds, shared](Napi::Env env) {
          const auto entry = environment->reads.extract(handle);
          if (entry.empty()) return;
          const Environment::RunningRead& running = entry.mapped();
          if (!shared->status.ok()) return environment->reject(env, running.promise, shared->status);
          const double used = cpu_seconds - running.cpu_seconds_before;
          environment->resolve(env, running.promise, from_read(env, *shared, uring, used));
        });
  }

 private:
  const std::shared_ptr<Environment> environment_;
  const uint32_t handle_;
  const bool uring_;
};

Napi::Value begin_read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto environment = Environment::of(env).shared_from_this();
  const auto staging = environment->find_staging(to_handle(info[0]));
  if (staging == nullptr) throw_closed(env, "staging");
  const auto store = environment->find_store(to_handle(info[1]));
  if (store == nullptr) throw_closed(env, "store");
  if (!info[2].IsObject()) throw_argument(env, "a read request");
  if (staging->options().block_bytes < kReadBlockBytesMin) throw_argument(env, "blocks of at least 2 MiB");
  ParsedRead request = parse_read(*environment, info[2].As<Napi::Object>());

  const uint32_t handle = environment->next_handle();
  auto reporter = std::make_unique<Reporter>(environment, handle, staging->uses_uring());
  // The directory lives as long as the store that owns it.
  const std::shared_ptr<DirectoryThread> directory(store, &store->thread);
  const auto read =
      std::make_shared<Read>(staging, directory, std::move(request.layout), request.options, std::move(reporter));
  if (const Status status = read->prepare(); !status.ok()) throw_status(env, status);
  Environment::RunningRead running;
  Napi::Promise done;
  running.read = read;
  running.targets = Napi::Persistent(request.targets);
  running.promise = environment->open_promise(env, done);
  running.cpu_seconds_before = environment->engine->cpu_seconds();
  environment->reads.emplace(handle, std::move(running));
  read->start();

  Napi::Object result = Napi::Object::New(env);
  result.Set("handle", Napi::Number::New(env, handle));
  result.Set("done", done);
  return result;
}

Napi::Value start_read(const Napi::CallbackInfo& info) {
  try {
    return begin_read(info);
  } catch (const std::bad_alloc&) {
    throw_status(info.Env(), Status::system(ENOMEM, "malloc"));
  }
}

// nullptr once it has ended.
std::shared_ptr<Read> find_read(const Napi::CallbackInfo& info) {
  const auto& reads = Environment::of(info.Env()).reads;
  const auto entry = reads.find(to_handle(info[0]));
  return entry == reads.end() ? nullptr : entry->second.read;
}

Napi::Value abort_read(const Napi::CallbackInfo& info) {
  const auto read = find_read(info);
  if (read != nullptr) read->fail(Status::failure(Failure::kAborted, "the read was aborted"));
  return info.Env().Undefined();
}

Napi::Value read_progress(const Napi::CallbackInfo& info) {
  const auto read = find_read(info);
  if (read == nullptr) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), static_cast<double>(read->done_bytes()));
}

}  // namespace

void export_read_calls(Napi::Env env, Napi::Object exports) {
  export_call<start_read>(env, exports, "startRead");
  export_call<abort_read>(env, exports, "abortRead");
  export_call<read_progress>(env, exports, "readProgress");
}

}  // namespace snapshard
