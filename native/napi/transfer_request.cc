#include "napi/transfer_request.h"

#include <errno.h>
#include <fcntl.h>

#include <cstring>
#include <utility>

#include "napi/convert.h"
#include "napi/memory.h"
#include "napi/transfer_trace.h"
#include "transfer/source_ranges.h"

namespace snapshard {

namespace {

Source memory_source(Environment& environment, Napi::Env env, napi_value value, SourceKind kind) {
  Memory memory = to_memory(environment, env, value, kind);
  Source source;
  source.kind = kind;
  source.data = memory.data;
  source.bytes = memory.bytes;
  source.lease = std::move(memory.lease);
  source.cuda = std::move(memory.cuda);
  return source;
}

Source path_source(const Napi::Value& value) {
  Source source;
  source.kind = SourceKind::kPath;
  source.path = to_text(value, "a path");
  return source;
}

Source descriptor_source(const Napi::Value& value) {
  const uint64_t fd = to_bytes(value, "a file descriptor");
  Source source;
  source.kind = SourceKind::kDescriptor;
  // An absolute path, as those of other sources are.
  source.path = "/proc/self/fd/" + std::to_string(fd);
  if (fd > INT32_MAX) throw_status(value.Env(), Status::system(EBADF, "fcntl", source.path));
  source.fd = UniqueFd(::fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 0));
  if (!source.fd.valid()) throw_status(value.Env(), Status::system(errno, "fcntl", source.path));
  return source;
}

Source to_source(Environment& environment, Napi::Env env, napi_value value, uint8_t kind) {
  switch (static_cast<SourceKind>(kind)) {
    case SourceKind::kBuffer:
    case SourceKind::kShared:
    case SourceKind::kLease:
    case SourceKind::kCuda:
      return memory_source(environment, env, value, static_cast<SourceKind>(kind));
    case SourceKind::kPath:
      return path_source(Napi::Value(env, value));
    case SourceKind::kDescriptor:
      return descriptor_source(Napi::Value(env, value));
  }
  throw_argument(env, "a source kind from 0 to 5");
}

std::vector<Source> to_sources(Environment& environment, Napi::Object request) {
  const Napi::Env env = request.Env();
  const Napi::Value list = request.Get("sources");
  const std::vector<std::byte> kinds = copy_bytes(request.Get("sourceKinds"), "sourceKinds, a Uint8Array");
  if (!list.IsArray() || list.As<Napi::Array>().Length() != kinds.size()) {
    throw_argument(env, "as many sources as source kinds");
  }
  std::vector<Source> sources;
  sources.reserve(kinds.size());
  for (uint32_t i = 0; i < kinds.size(); ++i) {
    const Napi::HandleScope scope(env);
    napi_value value = nullptr;
    if (napi_get_element(env, list, i, &value) != napi_ok) throw_argument(env, "a list of sources");
    sources.push_back(to_source(environment, env, value, std::to_integer<uint8_t>(kinds[i])));
  }
  return sources;
}

LayoutInput to_layout_input(Napi::Object request) {
  LayoutInput input;
  const Napi::Value headers = request.Get("headers");
  if (!headers.IsArray()) throw_argument(request.Env(), "a list of headers");
  const auto list = headers.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) input.headers.push_back(copy_bytes(list.Get(i), "headers, Uint8Arrays"));
  input.file_slices = to_indexes(request.Get("fileSlices"), "fileSlices, a Uint32Array");
  input.slice_bytes = to_byte_counts(request.Get("sliceBytes"), "sliceBytes, a Float64Array of safe integers");
  input.segment_bytes = to_byte_counts(request.Get("segmentBytes"), "segmentBytes, a Float64Array of safe integers");
  input.segment_source = to_indexes(request.Get("segmentSource"), "segmentSource, a Uint32Array");
  input.segment_offset = to_byte_counts(request.Get("segmentOffset"), "segmentOffset, a Float64Array of safe integers");
  return input;
}

}  // namespace

ParsedRequest parse_request(Environment& environment, Napi::Object request, uint64_t block_bytes) {
  ParsedRequest parsed;
  const Status status = Layout::create(to_layout_input(request), block_bytes, parsed.layout);
  if (!status.ok()) throw_status(request.Env(), status);
  parsed.options.in_place = to_flag(request.Get("inPlace"), "inPlace");
  parsed.options.device_snapshot = to_flag(request.Get("deviceSnapshot"), "deviceSnapshot");
  parsed.options.trace = to_flag(request.Get("trace"), "trace");
  parsed.sources = to_sources(environment, request);
  const Status ranges = check_source_ranges(parsed.layout, parsed.sources);
  if (!ranges.ok()) throw_status(request.Env(), ranges);
  return parsed;
}

Status copy_source(const Napi::ObjectReference& sources, uint32_t index, uint64_t offset, std::byte* destination,
                   size_t bytes) {
  const Napi::HandleScope scope(sources.Env());
  const Napi::Value value = sources.Value().Get(index);
  void* data = nullptr;
  size_t length = 0;
  const bool there = napi_get_arraybuffer_info(sources.Env(), value, &data, &length) == napi_ok;
  if (!there || bytes > length || offset > length - bytes) {
    return Status::failure(Failure::kSourceDetached, "the memory of a source is gone");
  }
  std::memcpy(destination, static_cast<const std::byte*>(data) + offset, bytes);
  return {};
}

Napi::Value from_outcome(Napi::Env env, const TransferOutcome& outcome, bool uring, double cpu_seconds) {
  const auto number = [env](double value) { return Napi::Number::New(env, value); };
  Napi::Object result = Napi::Object::New(env);
  result.Set("chunkDigests", from_digests(env, outcome.chunk_digests));
  result.Set("sliceDigests", from_digests(env, outcome.slice_digests));
  result.Set("fileDigests", from_digests(env, outcome.file_digests));
  result.Set("direct", Napi::String::New(env, direct_name(outcome.direct)));
  result.Set("directReason", Napi::String::New(env, outcome.direct_reason));
  result.Set("deviceSnapshot", Napi::Boolean::New(env, outcome.device_snapshot));
  result.Set("deviceReason", Napi::String::New(env, outcome.device_reason));
  result.Set("engine", Napi::String::New(env, engine_name(uring && outcome.threads_reason.empty(), outcome.direct)));
  result.Set("threadsReason", Napi::String::New(env, outcome.threads_reason));
  result.Set("stagedSeconds", number(outcome.times.staged_seconds));
  result.Set("writtenSeconds", number(outcome.times.written_seconds));
  result.Set("durableSeconds", number(outcome.times.durable_seconds));
  result.Set("cpuSeconds", number(cpu_seconds));
  if (outcome.trace.started != 0) result.Set("trace", from_trace(env, outcome.trace));
  return result;
}

}  // namespace snapshard
