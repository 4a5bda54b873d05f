#include "process/file_lock.h"

#include <fcntl.h>

#include <cerrno>

#include "core/system_error.h"

namespace hostbrick {

FileDescriptor lock_byte(const std::string& path, std::int64_t offset) {
  auto file = open_path(path, O_RDWR | O_CREAT, 0600);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  while (::fcntl(file.get(), F_OFD_SETLKW, &lock) < 0) {
    if (errno != EINTR) throw SystemError(errno, "F_OFD_SETLKW", path);
  }
  return file;
}

}  // namespace hostbrick
