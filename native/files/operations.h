#pragma once

#include <string>
#include <variant>
#include <vector>

namespace hostbrick {

struct MakeDirectory {
  std::string path;
  unsigned mode;
};
/** A new file with this content; EEXIST when there is one. */
struct CreateFile {
  std::string path;
  std::string content;
  unsigned mode;
};
/** Atomic: whoever opens `to` sees the one file or the other, whole. */
struct RenameFile {
  std::string from;
  std::string to;
};
struct LinkFile {
  std::string from;
  std::string to;
};
struct UnlinkFile {
  std::string path;
};
/** ENOTEMPTY when something is in it. */
struct RemoveDirectory {
  std::string path;
};

struct FileOperation {
  std::variant<MakeDirectory, CreateFile, RenameFile, LinkFile, UnlinkFile, RemoveDirectory> action;
  std::vector<int> tolerated;  ///< errno values that are as good as success
};

/** Carries out the operations in order, up to the first that fails: then throws SystemError. */
void carry_out(const std::vector<FileOperation>& operations);

}  // namespace hostbrick
