#pragma once

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <string_view>

namespace hostbrick {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

/** An open directory stream; null, with errno set, when it cannot be opened. */
using Directory = std::unique_ptr<DIR, CloseDirectory>;

inline Directory open_directory(int parent, const char* path) {
  const auto number = ::openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (number < 0) return nullptr;
  return Directory(::fdopendir(number));
}

/** The next entry but for "." and ".."; null at the end, or with errno set when the directory cannot be read. */
inline const dirent* next_entry(const Directory& directory) {
  for (;;) {
    errno = 0;
    const auto* const entry = ::readdir(directory.get());
    if (entry == nullptr) return nullptr;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return entry;
  }
}

}  // namespace hostbrick
