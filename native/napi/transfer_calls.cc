#include <errno.h>

#include <memory>
#include <new>
#include <utility>

#include "napi/calls.h"
#include "napi/convert.h"
#include "napi/environment.h"
#include "napi/transfer_request.h"

namespace snapshard {

namespace {

// Brings what native threads tell of one transfer to its promises.
class Reporter final : public TransferListener {
 public:
  Reporter(std::shared_ptr<Environment> environment, uint32_t handle, bool uring)
      : environment_(std::move(environment)), handle_(handle), uring_(uring) {}

  Status copy(uint32_t source, uint64_t offset, std::byte* destination, size_t bytes) override {
    Status status = Status::failure(Failure::kAborted, "the environment is ending");
    environment_->queue->run_and_wait([this, &status, source, offset, destination, bytes](Napi::Env) {
      const auto entry = environment_->transfers.find(handle_);
      if (entry == environment_->transfers.end()) return;
      status = copy_source(entry->second.sources, source, offset, destination, bytes);
    });
    return status;
  }

  void on_staged() override {
    environment_->queue->post([environment = environment_, handle = handle_](Napi::Env env) {
      const auto entry = environment->transfers.find(handle);
      if (entry == environment->transfers.end()) return;
      environment->resolve(env, entry->second.staged_promise, env.Undefined());
    });
  }

  void on_ended(TransferOutcome outcome) override {
    const double cpu_seconds = environment_->engine->cpu_seconds();
    auto shared = std::make_shared<TransferOutcome>(std::move(outcome));
    environment_->queue->post(
        [environment = environment_, handle = handle_, uring = uring_, cpu_seconds, shared](Napi::Env env) {
          const auto entry = environment->transfers.extract(handle);
          if (entry.empty()) return;
          const Environment::RunningTransfer& running = entry.mapped();
          if (!shared->status.ok()) {
            environment->reject(env, running.staged_promise, shared->status);
            environment->reject(env, running.durable_promise, shared->status);
            return;
          }
          const double used = cpu_seconds - running.cpu_seconds_before;
          environment->resolve(env, running.durable_promise, from_outcome(env, *shared, uring, used));
        });
  }

 private:
  const std::shared_ptr<Environment> environment_;
  const uint32_t handle_;
  const bool uring_;
};

Napi::Value begin_transfer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto environment = Environment::of(env).shared_from_this();
  const auto staging = environment->find_staging(to_handle(info[0]));
  if (staging == nullptr) throw_closed(env, "staging");
  if (!info[1].IsObject()) throw_argument(env, "a transfer request");
  const auto given = info[1].As<Napi::Object>();
  ParsedRequest request = parse_request(*environment, given, staging->options().block_bytes);

  const uint32_t handle = environment->next_handle();
  auto reporter = std::make_unique<Reporter>(environment, handle, staging->uses_uring());
  auto transfer = std::make_shared<Transfer>(staging, std::move(request.layout), std::move(request.sources),
                                             request.options, std::move(reporter));
  if (const Status status = transfer->prepare(); !status.ok()) throw_status(env, status);
  Environment::RunningTransfer running;
  Napi::Promise staged;
  Napi::Promise durable;
  running.transfer = transfer;
  running.sources = Napi::Persistent(given.Get("sources").As<Napi::Object>());
  running.staged_promise = environment->open_promise(env, staged);
  running.durable_promise = environment->open_promise(env, durable);
  running.cpu_seconds_before = environment->engine->cpu_seconds();
  environment->transfers.emplace(handle, std::move(running));
  transfer->start();

  Napi::Object result = Napi::Object::New(env);
  result.Set("handle", Napi::Number::New(env, handle));
  result.Set("staged", staged);
  result.Set("durable", durable);
  return result;
}

Napi::Value start_transfer(const Napi::CallbackInfo& info) {
  try {
    return begin_transfer(info);
  } catch (const std::bad_alloc&) {
    throw_status(info.Env(), Status::system(ENOMEM, "malloc"));
  }
}

// nullptr once it has ended.
std::shared_ptr<Transfer> find_transfer(const Napi::CallbackInfo& info) {
  const auto& transfers = Environment::of(info.Env()).transfers;
  const auto entry = transfers.find(to_handle(info[0]));
  return entry == transfers.end() ? nullptr : entry->second.transfer;
}

Napi::Value open_files(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto transfer = find_transfer(info);
  const auto store = Environment::of(env).find_store(to_handle(info[1]));
  if (store == nullptr) throw_closed(env, "store");
  std::vector<std::string> paths = to_texts(info[2], "a list of paths");
  if (transfer == nullptr) return env.Undefined();
  if (paths.size() != transfer->file_count()) throw_argument(env, "one path for each file");
  // The directory lives as long as the store that owns it.
  const std::shared_ptr<DirectoryThread> directory(store, &store->thread);
  if (!transfer->open_files(directory, std::move(paths)))
    throw_argument(env, "a transfer whose files are not open yet");
  return env.Undefined();
}

Napi::Value abort_transfer(const Napi::CallbackInfo& info) {
  const auto transfer = find_transfer(info);
  if (transfer != nullptr) transfer->fail(Status::failure(Failure::kAborted, "the transfer was aborted"));
  return info.Env().Undefined();
}

Napi::Value transfer_progress(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto transfer = find_transfer(info);
  if (transfer == nullptr) return env.Undefined();
  Napi::Object progress = Napi::Object::New(env);
  progress.Set("stagedBytes", Napi::Number::New(env, static_cast<double>(transfer->staged_bytes())));
  progress.Set("writtenBytes", Napi::Number::New(env, static_cast<double>(transfer->written_bytes())));
  return progress;
}

}  // namespace

void export_transfer_calls(Napi::Env env, Napi::Object exports) {
  export_call<start_transfer>(env, exports, "startTransfer");
  export_call<open_files>(env, exports, "openFiles");
  export_call<abort_transfer>(env, exports, "abortTransfer");
  export_call<transfer_progress>(env, exports, "transferProgress");
}

}  // namespace snapshard
