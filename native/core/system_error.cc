#include "core/system_error.h"

#include <fcntl.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace hostbrick {

namespace {

std::string message(int error, const char* operation, const std::string& path, const std::string& detail) {
  auto text = std::generic_category().message(error) + ", " + operation;
  if (!path.empty()) text += " '" + path + "'";
  if (!detail.empty()) text += ": " + detail;
  return text;
}

}  // namespace

SystemError::SystemError(int error, const char* operation, std::string path, std::string detail)
    : std::runtime_error(message(error, operation, path, detail)),
      error_(error),
      operation_(operation),
      path_(std::move(path)),
      detail_(std::move(detail)) {}

FileDescriptor open_path(const std::string& path, int flags, unsigned mode) {
  FileDescriptor file(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!file) throw SystemError(errno, "open", path);
  return file;
}

}  // namespace hostbrick
