#include "base/status.h"

#include <string.h>

#include <utility>

namespace snapshard {

const char* error_name(int error) {
  if (error <= 0) return "";
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : "";
}

Status Status::system(int error, const char* syscall, std::string_view path) {
  Status status;
  status.kind_ = Failure::kSystem;
  status.error_ = error;
  status.syscall_ = syscall;
  status.path_ = path;
  return status;
}

Status Status::failure(Failure kind, std::string message) {
  Status status;
  status.kind_ = kind;
  status.text_ = std::move(message);
  return status;
}

Status Status::cuda(int error, std::string name, const char* call, std::string text) {
  Status status;
  status.kind_ = Failure::kCuda;
  status.error_ = error;
  status.syscall_ = call;
  status.text_ = std::move(text);
  status.name_ = std::move(name);
  return status;
}

std::string Status::message() const {
  if (kind_ == Failure::kCuda && *syscall_ != '\0') return std::string(syscall_) + ": " + text_;
  if (kind_ != Failure::kSystem) return text_;
  const char* text = strerrordesc_np(error_);
  std::string message = std::string(syscall_) + ": " + (text != nullptr ? text : "unknown error");
  if (!path_.empty()) message += ": " + path_;
  return message;
}

const char* Status::error_name() const {
  return kind_ == Failure::kCuda ? name_.c_str() : snapshard::error_name(error_);
}

}  // namespace snapshard
