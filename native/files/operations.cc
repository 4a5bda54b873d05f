#include "files/operations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "core/file_descriptor.h"
#include "core/system_error.h"

namespace hostbrick {

namespace {

void carry_out(const MakeDirectory& directory) {
  if (::mkdir(directory.path.c_str(), directory.mode) < 0) throw SystemError(errno, "mkdir", directory.path);
}

void fill(const FileDescriptor& file, const CreateFile& creation) {
  for (std::string_view rest = creation.content; !rest.empty();) {
    const auto written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0) throw SystemError(errno, "write", creation.path);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (creation.durable && ::fsync(file.get()) < 0) throw SystemError(errno, "fsync", creation.path);
}

void carry_out(const CreateFile& creation) {
  const auto file = open_path(creation.path, O_WRONLY | O_CREAT | O_EXCL, creation.mode);
  try {
    fill(file, creation);
  } catch (const SystemError&) {
    ::unlink(creation.path.c_str());
    throw;
  }
}

void carry_out(const RenameFile& renaming) {
  if (::rename(renaming.from.c_str(), renaming.to.c_str()) < 0) throw SystemError(errno, "rename", renaming.to);
}

void carry_out(const LinkFile& linking) {
  if (::link(linking.from.c_str(), linking.to.c_str()) < 0) throw SystemError(errno, "link", linking.to);
}

void carry_out(const SymbolicLink& link) {
  if (::symlink(link.target.c_str(), link.path.c_str()) < 0) throw SystemError(errno, "symlink", link.path);
}

void carry_out(const UnlinkFile& file) {
  if (::unlink(file.path.c_str()) < 0) throw SystemError(errno, "unlink", file.path);
}

void carry_out(const RemoveDirectory& directory) {
  if (::rmdir(directory.path.c_str()) < 0) throw SystemError(errno, "rmdir", directory.path);
}

}  // namespace

void carry_out(const std::vector<FileOperation>& operations) {
  for (const auto& [action, tolerated] : operations) {
    try {
      std::visit([](const auto& one) { carry_out(one); }, action);
    } catch (const SystemError& failure) {
      if (std::ranges::find(tolerated, failure.error()) == tolerated.end()) throw;
    }
  }
}

std::string resolve_path(const std::string& path) {
  struct Free {
    void operator()(char* text) const noexcept { std::free(text); }
  };
  const std::unique_ptr<char, Free> resolved(::realpath(path.c_str(), nullptr));
  if (!resolved) throw SystemError(errno, "realpath", path);
  return resolved.get();
}

}  // namespace hostbrick
