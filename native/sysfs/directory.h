#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string_view>

#include "core/file_descriptor.h"

namespace hostbrick {

/** An open directory; none, with errno set, when it cannot be opened. */
inline FileDescriptor open_directory(int parent, const char* path) {
  return FileDescriptor(::openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/**
 * Calls `act` with each entry (a dirent) of an open directory but for "." and ".."; returns 0 or errno. readdir(3) asks
 * for the file's kind and mode before and takes 32 KiB of heap, which is more than reading a directory of sysfs costs.
 */
template <typename Act>
int for_each_entry(const FileDescriptor& directory, Act act) {
  // As the kernel writes them (struct linux_dirent64), with the name's end in it.
  static_assert(offsetof(dirent, d_reclen) == 16 && offsetof(dirent, d_type) == 18 && offsetof(dirent, d_name) == 19);
  alignas(dirent) std::array<char, 32 << 10> entries;
  for (;;) {
    const auto size = ::syscall(SYS_getdents64, directory.get(), entries.data(), entries.size());
    if (size <= 0) return size < 0 ? errno : 0;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      const auto& entry = reinterpret_cast<const dirent&>(entries[at]);
      at += entry.d_reclen;
      const std::string_view name = entry.d_name;
      if (name != "." && name != "..") act(entry);
    }
  }
}

}  // namespace hostbrick
