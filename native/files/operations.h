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
  bool durable = false;  ///< its content is on the disk before the next operation (fsync)
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
/** A link that names `target`, whether that is there or not. */
struct SymbolicLink {
  std::string target;
  std::string path;
};
struct UnlinkFile {
  std::string path;
};
/** ENOTEMPTY when something is in it. */
struct RemoveDirectory {
  std::string path;
};

struct FileOperation {
  std::variant<MakeDirectory, CreateFile, RenameFile, LinkFile, SymbolicLink, UnlinkFile, RemoveDirectory> action;
  std::vector<int> tolerated;  ///< errno values that are as good as success
};

/** Carries out the operations in order, up to the first that fails: then throws SystemError. */
void carry_out(const std::vector<FileOperation>& operations);

/** The absolute path of what `path` leads to, through all links; what it leads to must be there. */
std::string resolve_path(const std::string& path);

}  // namespace hostbrick
