#include "files/operations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/file_descriptor.h"
#include "core/system_error.h"

namespace hostbrick {

void make_directory(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) < 0) throw SystemError(errno, "mkdir", path);
}

void create_file(const std::string& path, std::string_view content, unsigned mode) {
  const auto file = open_path(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  while (!content.empty()) {
    const auto written = ::write(file.get(), content.data(), content.size());
    if (written < 0) {
      const auto error = errno;
      ::unlink(path.c_str());
      throw SystemError(error, "write", path);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

void rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) < 0) throw SystemError(errno, "rename", to);
}

void link_file(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) < 0) throw SystemError(errno, "link", to);
}

void unlink_file(const std::string& path) {
  if (::unlink(path.c_str()) < 0) throw SystemError(errno, "unlink", path);
}

void remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) < 0) throw SystemError(errno, "rmdir", path);
}

}  // namespace hostbrick
