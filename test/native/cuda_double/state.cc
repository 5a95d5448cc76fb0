#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "driver_double.h"

namespace cuda_double {

namespace {

int64_t setting(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::atoll(text) : otherwise;
}

std::vector<std::string> parts(const char* text, char separator) {
  std::istringstream stream(text != nullptr ? text : "");
  std::vector<std::string> all;
  for (std::string part; std::getline(stream, part, separator);) all.push_back(part);
  return all;
}

void read_failures(State& fresh) {
  for (const std::string& text : parts(std::getenv("CUDA_DOUBLE_FAIL"), ',')) {
    const std::vector<std::string> fields = parts(text.c_str(), ':');
    if (fields.size() == 3) {
      fresh.failures.push_back({fields[0], std::atoll(fields[1].c_str()), std::atoi(fields[2].c_str()), 0, false});
    }
  }
}

std::unique_ptr<State> make_state() {
  auto fresh = std::make_unique<State>();
  fresh->memory_bytes = static_cast<size_t>(setting("CUDA_DOUBLE_MEMORY", int64_t{1} << 30));
  fresh->driver_version = static_cast<int>(setting("CUDA_DOUBLE_DRIVER_VERSION", 13000));
  fresh->delay_us_max = setting("CUDA_DOUBLE_DELAY_US", 100);
  fresh->copies_until_hang = setting("CUDA_DOUBLE_HANG", -1);
  const std::vector<std::string> broken = parts(std::getenv("CUDA_DOUBLE_BREAK"), ':');
  if (broken.size() == 2) {
    fresh->copies_until_broken = std::atoll(broken[0].c_str());
    fresh->break_error = std::atoi(broken[1].c_str());
  }
  for (int64_t device = 0; device < setting("CUDA_DOUBLE_DEVICES", 1); ++device) {
    fresh->contexts.push_back(std::make_unique<Context>());
    fresh->contexts.back()->device = static_cast<int>(device);
  }
  read_failures(*fresh);
  return fresh;
}

// The first failure that this call is due for.
Result due_failure(const char* function) {
  for (Failure& failure : state().failures) {
    if (failure.function != function) continue;
    ++failure.calls;
    if (failure.nth != 0 && failure.calls != failure.nth) continue;
    failure.happened = true;
    return static_cast<Result>(failure.error);
  }
  return kSuccess;
}

}  // namespace

State& state() {
  static State* const kept = make_state().release();
  return *kept;
}

void misuse(const std::string& what) {
  ++state().tally.misuses;
  std::fprintf(stderr, "driver double: misuse: %s\n", what.c_str());
}

Call::Call(const char* function, Needs needs) : lock(state().mutex) {
  ++state().tally.calls;
  result_ = due_failure(function);
  if (result_ != kSuccess || needs == Needs::kNothing) return;
  if (!state().initialized) {
    misuse(std::string(function) + " before cuInit");
    result_ = kNotInitialized;
  } else if (needs == Needs::kContext && current_context() == nullptr) {
    misuse(std::string(function) + " without a context");
    result_ = kInvalidContext;
  } else if (needs == Needs::kContext && state().broken != 0) {
    result_ = broken_result(lock);
  }
}

CUDA_DOUBLE_API void cuda_double_tally(Tally* tally) {
  const Lock lock(state().mutex);
  *tally = state().tally;
}

CUDA_DOUBLE_API void cuda_double_fail(const char* function, int64_t nth, int error) {
  const Lock lock(state().mutex);
  state().failures.clear();
  if (function != nullptr) state().failures.push_back({function, nth, error, 0, false});
}

CUDA_DOUBLE_API int cuda_double_failed() {
  const Lock lock(state().mutex);
  return !state().failures.empty() && state().failures.back().happened ? 1 : 0;
}

CUDA_DOUBLE_API void cuda_double_break(int error) {
  const Lock lock(state().mutex);
  lose_device(error);
}

CUDA_DOUBLE_API void cuda_double_hang(int hangs) {
  const Lock lock(state().mutex);
  state().hangs = hangs != 0;
  state().changed.notify_all();
}

CUDA_DOUBLE_API void cuda_double_hold_stream(void* stream, int holds) {
  const Lock lock(state().mutex);
  const auto found = find_stream(stream);
  if (found != nullptr) found->held = holds != 0;
  state().changed.notify_all();
}

namespace {

__attribute__((destructor)) void print_tally() {
  const char* path = std::getenv("CUDA_DOUBLE_TALLY");
  std::FILE* file = path != nullptr && *path != '\0' ? std::fopen(path, "w") : nullptr;
  if (file == nullptr) return;
  Tally tally;
  cuda_double_tally(&tally);
  const std::pair<const char*, int64_t> lines[] = {
      {"contexts", tally.contexts},
      {"allocations", tally.allocations},
      {"streams", tally.streams},
      {"events", tally.events},
      {"ipc_memories", tally.ipc_memories},
      {"ipc_events", tally.ipc_events},
      {"registrations", tally.registrations},
      {"misuses", tally.misuses},
      {"calls", tally.calls},
      {"copies", tally.copies},
      {"batches", tally.batches},
      {"unregistered_copies", tally.unregistered_copies},
      {"copied_bytes", tally.copied_bytes},
      {"ipc_opens", tally.ipc_opens},
  };
  for (const auto& [name, value] : lines) std::fprintf(file, "%s %lld\n", name, static_cast<long long>(value));
  std::fclose(file);
}

}  // namespace

}  // namespace cuda_double
