#pragma once

#include <string>
#include <string_view>

namespace snapshard {

// What kind of failure it is; `NativeError.kind` of lib/binding.ts.
enum class Failure { kNone, kSystem, kSourceDetached, kSourceChanged, kTargetDetached, kAborted, kClosed, kArgument };

// Success, or a failure with what the system said. Cheap to move; a success holds nothing.
class [[nodiscard]] Status {
 public:
  Status() = default;

  // `error` is a positive errno; `syscall` a literal; `path` as the caller knows it.
  static Status system(int error, const char* syscall, std::string_view path = {});
  static Status failure(Failure kind, std::string message);

  [[nodiscard]] bool ok() const { return kind_ == Failure::kNone; }
  [[nodiscard]] Failure kind() const { return kind_; }
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] const char* syscall() const { return syscall_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // One sentence for a person.
  [[nodiscard]] std::string message() const;
  // `ENOSPC`, or empty.
  [[nodiscard]] const char* error_name() const;

 private:
  Failure kind_ = Failure::kNone;
  int error_ = 0;
  const char* syscall_ = "";
  std::string path_;
  std::string text_;
};

// The symbolic name of a positive errno; empty where the C library knows none.
const char* error_name(int error);

}  // namespace snapshard
