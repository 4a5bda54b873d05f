#pragma once

#include <stdexcept>
#include <string>

#include "core/file_descriptor.h"

namespace hostbrick {

/** A system call failed: which one, on what, with which errno, and what the device itself said, if anything. */
class SystemError : public std::runtime_error {
 public:
  SystemError(int error, const char* operation, std::string path = {}, std::string detail = {});

  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] const std::string& operation() const noexcept { return operation_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const std::string& detail() const noexcept { return detail_; }

 private:
  int error_;
  std::string operation_;
  std::string path_;
  std::string detail_;
};

/** Opens `path`; close-on-exec is always added to `flags`. */
FileDescriptor open_path(const std::string& path, int flags, unsigned mode = 0);

}  // namespace hostbrick
