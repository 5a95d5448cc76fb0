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

std::string Status::message() const {
  if (kind_ != Failure::kSystem) return text_;
  const char* text = strerrordesc_np(error_);
  std::string message = std::string(syscall_) + ": " + (text != nullptr ? text : "unknown error");
  if (!path_.empty()) message += ": " + path_;
  return message;
}

const char* Status::error_name() const { return snapshard::error_name(error_); }

}  // namespace snapshard
