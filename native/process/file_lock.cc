#include "process/file_lock.h"

#include <fcntl.h>

#include <cerrno>

#include "core/system_error.h"

namespace hostbrick {

namespace {

FileDescriptor open_lock_file(const std::string& path) { return open_path(path, O_RDWR | O_CREAT, 0600); }

struct flock lock_at(std::int64_t offset, LockKind kind) {
  struct flock lock{};
  lock.l_type = kind == LockKind::shared ? F_RDLCK : F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  return lock;
}

}  // namespace

FileDescriptor lock_byte(const std::string& path, std::int64_t offset, LockKind kind) {
  auto file = open_lock_file(path);
  auto lock = lock_at(offset, kind);
  while (::fcntl(file.get(), F_OFD_SETLKW, &lock) < 0) {
    if (errno != EINTR) throw SystemError(errno, "F_OFD_SETLKW", path);
  }
  return file;
}

std::optional<FileDescriptor> try_lock_byte(const std::string& path, std::int64_t offset, LockKind kind) {
  auto file = open_lock_file(path);
  auto lock = lock_at(offset, kind);
  if (::fcntl(file.get(), F_OFD_SETLK, &lock) == 0) return file;
  if (errno == EAGAIN || errno == EACCES) return std::nullopt;
  throw SystemError(errno, "F_OFD_SETLK", path);
}

}  // namespace hostbrick
