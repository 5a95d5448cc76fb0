#pragma once

#include <string>
#include <string_view>

namespace snapshard {

// What kind of failure it is; `NativeError.kind` of lib/binding.ts.
enum class Failure {
  kNone,
  kSystem,
  kSourceDetached,
  kSourceChanged,
  kTargetDetached,
  kAborted,
  kClosed,
  kArgument,
  // No driver, no device, or a driver that is too old.
  kCudaUnavailable,
  // The driver refused a call, or what it had been asked for failed.
  kCuda
};

// Success, or a failure with what the system said. Cheap to move; a success holds nothing.
class [[nodiscard]] Status {
 public:
  Status() = default;

  // `error` is a positive errno; `syscall` a literal; `path` as the caller knows it.
  static Status system(int error, const char* syscall, std::string_view path = {});
  static Status failure(Failure kind, std::string message);
  // `error` and `name` of a CUresult, `call` a literal, `text` the driver's own.
  static Status cuda(int error, std::string name, const char* call, std::string text);

  [[nodiscard]] bool ok() const { return kind_ == Failure::kNone; }
  [[nodiscard]] Failure kind() const { return kind_; }
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] const char* syscall() const { return syscall_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // One sentence for a person.
  [[nodiscard]] std::string message() const;
  // The message without the call that it came from; empty for a system failure.
  [[nodiscard]] const std::string& text() const { return text_; }
  // `ENOSPC`, `CUDA_ERROR_INVALID_VALUE`, or empty; valid for as long as the status.
  [[nodiscard]] const char* error_name() const;

 private:
  Failure kind_ = Failure::kNone;
  int error_ = 0;
  const char* syscall_ = "";
  std::string path_;
  std::string text_;
  std::string name_;
};

// The symbolic name of a positive errno; empty where the C library knows none.
const char* error_name(int error);

}  // namespace snapshard
