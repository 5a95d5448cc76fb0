#include "napi/transfer_trace.h"

namespace snapshard {

namespace {

double to_seconds(TraceTime duration) { return static_cast<double>(duration) * 1e-9; }

template <typename Column, typename Value>
void set_column(Napi::Object columns, const char* name, const Trace& trace, Value value) {
  auto column = Column::New(columns.Env(), trace.blocks.size());
  for (size_t i = 0; i < trace.blocks.size(); ++i) column[i] = value(trace.blocks[i]);
  columns.Set(name, column);
}

void set_counts(Napi::Object columns, const char* name, const Trace& trace, uint32_t BlockTrace::*field) {
  set_column<Napi::Uint32Array>(columns, name, trace, [field](const BlockTrace& block) { return block.*field; });
}

void set_durations(Napi::Object columns, const char* name, const Trace& trace, TraceTime BlockTrace::*field) {
  set_column<Napi::Float64Array>(columns, name, trace,
                                 [field](const BlockTrace& block) { return to_seconds(block.*field); });
}

void set_moments(Napi::Object columns, const char* name, const Trace& trace, TraceTime BlockTrace::*field) {
  set_column<Napi::Float64Array>(columns, name, trace, [field, started = trace.started](const BlockTrace& block) {
    return block.*field == BlockTrace::kNever ? -1 : to_seconds(block.*field - started);
  });
}

}  // namespace

Napi::Value from_trace(Napi::Env env, const Trace& trace) {
  Napi::Object columns = Napi::Object::New(env);
  set_counts(columns, "file", trace, &BlockTrace::file);
  set_column<Napi::Float64Array>(columns, "offset", trace,
                                 [](const BlockTrace& block) { return static_cast<double>(block.offset); });
  set_counts(columns, "bytes", trace, &BlockTrace::bytes);
  set_counts(columns, "thread", trace, &BlockTrace::thread);
  set_moments(columns, "gatherStartSeconds", trace, &BlockTrace::gather_start);
  set_moments(columns, "gatherEndSeconds", trace, &BlockTrace::gather_end);
  set_durations(columns, "copySeconds", trace, &BlockTrace::copy);
  set_durations(columns, "hashSeconds", trace, &BlockTrace::hash);
  set_moments(columns, "queuedSeconds", trace, &BlockTrace::queued);
  set_moments(columns, "submittedSeconds", trace, &BlockTrace::submitted);
  set_moments(columns, "completedSeconds", trace, &BlockTrace::completed);
  return columns;
}

}  // namespace snapshard
