#include <memory>
#include <utility>

#include "io/uring.h"
#include "napi/calls.h"
#include "napi/convert.h"
#include "napi/environment.h"

namespace snapshard {

namespace {

EngineChoice to_engine_choice(const Napi::Value& value) {
  const std::string name = to_text(value, "an engine");
  if (name == "auto") return EngineChoice::kAuto;
  if (name == "io_uring") return EngineChoice::kUring;
  if (name == "pwrite") return EngineChoice::kThreads;
  throw_argument(value.Env(), "the engine 'auto', 'io_uring' or 'pwrite'");
}

unsigned to_count(const Napi::Value& value, uint64_t most, const char* expected) {
  const uint64_t count = to_bytes(value, expected);
  if (count == 0 || count > most) throw_argument(value.Env(), expected);
  return static_cast<unsigned>(count);
}

int to_cuda_device(const Napi::Value& value) {
  if (value.IsUndefined()) return -1;
  const uint64_t device = to_bytes(value, "a cudaDevice");
  if (device > INT32_MAX) throw_argument(value.Env(), "a cudaDevice");
  return static_cast<int>(device);
}

StagingOptions to_options(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) throw_argument(info.Env(), "options");
  const auto given = info[0].As<Napi::Object>();
  StagingOptions options;
  options.staging_bytes = to_bytes(given.Get("stagingBytes"), "stagingBytes");
  options.block_bytes = to_bytes(given.Get("blockBytes"), "blockBytes");
  options.queue_depth = to_count(given.Get("queueDepth"), 4096, "a queueDepth from 1 to 4096");
  options.threads = to_count(given.Get("threads"), 256, "threads from 1 to 256");
  options.engine = to_engine_choice(given.Get("engine"));
  options.direct = to_flag(given.Get("direct"), "direct");
  options.cuda_device = to_cuda_device(given.Get("cudaDevice"));
  options.prefault = to_flag(given.Get("prefault"), "prefault");
  const uint64_t block = options.block_bytes;
  if (block < kMinBlockBytes || block > kMaxBlockBytes || (block & (block - 1)) != 0) {
    throw_argument(info.Env(), "a blockBytes that is a power of two from 1 MiB to 64 MiB");
  }
  if (options.staging_bytes % block != 0 || options.staging_bytes < 2 * block) {
    throw_argument(info.Env(), "a stagingBytes of at least two whole blocks");
  }
  return options;
}

Napi::Value staging_info(Napi::Env env, uint32_t handle, const Staging& staging) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("handle", Napi::Number::New(env, handle));
  result.Set("engine", Napi::String::New(env, staging.uses_uring() ? "io_uring" : "pwrite"));
  result.Set("engineReason", Napi::String::New(env, staging.engine_reason()));
  return result;
}

Napi::Value create_staging(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const StagingOptions options = to_options(info);
  const auto environment = Environment::of(env).shared_from_this();
  Napi::Promise promise;
  const uint64_t id = environment->open_promise(env, promise);
  environment->background->post([environment, id, options](bool cancelled) {
    auto staging = std::make_shared<std::shared_ptr<Staging>>();
    Status status = cancelled ? Status::failure(Failure::kAborted, "the environment is ending")
                              : Staging::create(environment->engine, options, *staging);
    Environment::settle(environment, id, std::move(status), [environment, staging](Napi::Env js) {
      const uint32_t handle = environment->next_handle();
      environment->stagings.emplace(handle, *staging);
      return staging_info(js, handle, **staging);
    });
  });
  return promise;
}

Napi::Value close_staging(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto environment = Environment::of(env).shared_from_this();
  const auto entry = environment->stagings.find(to_handle(info[0]));
  if (entry == environment->stagings.end()) throw_closed(env, "staging");
  if (!entry->second->jobs().empty()) throw_argument(env, "a staging with no transfer, read or probe under way");
  const auto staging = std::make_shared<std::shared_ptr<Staging>>(std::move(entry->second));
  environment->stagings.erase(entry);
  Napi::Promise promise;
  const uint64_t id = environment->open_promise(env, promise);
  environment->background->post([environment, id, staging](bool) {
    environment->engine->remove(staging->get());
    staging->reset();
    Environment::settle(environment, id, Status(), nullptr);
  });
  return promise;
}

}  // namespace

void export_staging_calls(Napi::Env env, Napi::Object exports) {
  export_call<create_staging>(env, exports, "createStaging");
  export_call<close_staging>(env, exports, "closeStaging");
}

}  // namespace snapshard
