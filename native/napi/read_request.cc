#include "napi/read_request.h"

#include <cstring>
#include <utility>

#include "napi/convert.h"
#include "napi/memory.h"

namespace snapshard {

namespace {

Target to_target(Environment& environment, Napi::Env env, napi_value value, uint8_t kind) {
  if (!is_memory(static_cast<SourceKind>(kind))) throw_argument(env, "a target kind of memory: 0, 1, 2 or 5");
  Memory memory = to_memory(environment, env, value, static_cast<SourceKind>(kind));
  return {static_cast<SourceKind>(kind), memory.data, memory.bytes, std::move(memory.lease), std::move(memory.cuda)};
}

// `kept` gets the values themselves, each asked for once: nobody else can take them out of it.
std::vector<Target> to_targets(Environment& environment, Napi::Object request, Napi::Object& kept) {
  const Napi::Env env = request.Env();
  const Napi::Value list = request.Get("targets");
  const std::vector<std::byte> kinds = copy_bytes(request.Get("targetKinds"), "targetKinds, a Uint8Array");
  if (!list.IsArray() || list.As<Napi::Array>().Length() != kinds.size()) {
    throw_argument(env, "as many targets as target kinds");
  }
  const Napi::Array values = Napi::Array::New(env, kinds.size());
  std::vector<Target> targets;
  targets.reserve(kinds.size());
  for (uint32_t i = 0; i < kinds.size(); ++i) {
    const Napi::HandleScope scope(env);
    napi_value value = nullptr;
    if (napi_get_element(env, list, i, &value) != napi_ok) throw_argument(env, "a list of targets");
    targets.push_back(to_target(environment, env, value, std::to_integer<uint8_t>(kinds[i])));
    values.Set(i, Napi::Value(env, value));
  }
  kept = values;
  return targets;
}

ReadInput to_read_input(Environment& environment, Napi::Object request, Napi::Object& targets) {
  ReadInput input;
  input.paths = to_texts(request.Get("paths"), "a list of paths");
  input.chunk_file = to_indexes(request.Get("chunkFile"), "chunkFile, a Uint32Array");
  input.chunk_offset = to_byte_counts(request.Get("chunkOffset"), "chunkOffset, a Float64Array of safe integers");
  input.chunk_bytes = to_indexes(request.Get("chunkBytes"), "chunkBytes, a Uint32Array");
  input.chunk_copies = to_indexes(request.Get("chunkCopies"), "chunkCopies, a Uint32Array");
  input.copy_from = to_indexes(request.Get("copyFrom"), "copyFrom, a Uint32Array");
  input.copy_bytes = to_indexes(request.Get("copyBytes"), "copyBytes, a Uint32Array");
  input.copy_target = to_indexes(request.Get("copyTarget"), "copyTarget, a Uint32Array");
  input.copy_to = to_byte_counts(request.Get("copyTo"), "copyTo, a Float64Array of safe integers");
  input.targets = to_targets(environment, request, targets);
  return input;
}

Status copy_to_target(Napi::Env env, const Napi::Value& list, const TargetCopy& copy) {
  const Napi::HandleScope scope(env);
  napi_value value = nullptr;
  void* data = nullptr;
  size_t bytes = 0;
  const bool there = napi_get_element(env, list, copy.target, &value) == napi_ok &&
                     napi_get_arraybuffer_info(env, value, &data, &bytes) == napi_ok;
  if (!there || copy.bytes > bytes || copy.to > bytes - copy.bytes) {
    return Status::failure(Failure::kTargetDetached, "the memory of a target is gone");
  }
  std::memcpy(static_cast<std::byte*>(data) + copy.to, copy.from, copy.bytes);
  return {};
}

}  // namespace

ParsedRead parse_read(Environment& environment, Napi::Object request) {
  ParsedRead parsed;
  const Status status = ReadLayout::create(to_read_input(environment, request, parsed.targets), parsed.layout);
  if (!status.ok()) throw_status(request.Env(), status);
  parsed.options.hash = to_flag(request.Get("hash"), "hash");
  parsed.options.follow_links = to_flag(request.Get("followLinks"), "followLinks");
  return parsed;
}

Status copy_to_targets(const Napi::ObjectReference& targets, std::span<const TargetCopy> copies) {
  const Napi::HandleScope scope(targets.Env());
  const Napi::Value list = targets.Value();
  for (const TargetCopy& copy : copies) {
    Status status = copy_to_target(targets.Env(), list, copy);
    if (!status.ok()) return status;
  }
  return {};
}

Napi::Value from_read(Napi::Env env, const ReadOutcome& outcome, bool uring, double cpu_seconds) {
  const auto number = [env](double value) { return Napi::Number::New(env, value); };
  Napi::Object result = Napi::Object::New(env);
  result.Set("digests", from_digests(env, outcome.digests));
  result.Set("readBytes", number(static_cast<double>(outcome.read_bytes)));
  result.Set("direct", Napi::String::New(env, direct_name(outcome.direct)));
  result.Set("directReason", Napi::String::New(env, outcome.direct_reason));
  result.Set("deviceReason", Napi::String::New(env, outcome.device_reason));
  result.Set("engine", Napi::String::New(env, engine_name(uring && outcome.threads_reason.empty(), outcome.direct)));
  result.Set("threadsReason", Napi::String::New(env, outcome.threads_reason));
  result.Set("seconds", number(outcome.seconds));
  result.Set("cpuSeconds", number(cpu_seconds));
  return result;
}

}  // namespace snapshard
