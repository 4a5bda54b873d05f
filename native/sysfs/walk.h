#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/file_descriptor.h"
#include "core/growing_bytes.h"

namespace hostbrick {

/**
 * Something to read of an entry: a path relative to it. Only asked for when the entry's own path contains `below`, and
 * its first attribute `when`.
 */
struct WalkField {
  std::string name;
  std::string below;  ///< empty: always
  std::string when;   ///< empty: always
};

/** One folder of symlinks to devices, such as class/block, and what to read of each device. */
struct WalkFolder {
  std::string path;  ///< relative to the walk's root
  std::vector<WalkField> attributes;
  std::vector<WalkField> directories;               ///< names of what is in them, such as slaves
  std::optional<std::vector<std::string>> entries;  ///< only these; nothing: all that there are
};

/**
 * Reads all entries of all folders in one go and returns them as one block of bytes (lib/inventory/walk.ts reads it):
 *
 *     entry     = size i32 of what follows, folder i32, place i32 of each field, name, path, field*
 *     field     = attribute | directory | absent     first the attributes, then the directories, in the folder's order
 *     name      = bytes
 *     path      = bytes                              the symlink's text from /sys/devices on, where it leads there
 *     attribute = bytes
 *     directory = count i32, bytes{count}
 *     bytes     = length i32, byte{length}
 *     absent    = -errno i32                         -ENOENT also when it was not asked for
 *
 * Integers are little-endian; places count from the first byte of `folder`. A folder that does not exist has no
 * entries. An entry that vanishes during the walk is left out: when its first attribute has gone the device has too.
 * Throws SystemError when a folder cannot be read for any other reason.
 */
GrowingBytes walk(const std::string& root, const std::vector<WalkFolder>& folders);

/** The same a part at a time, so that one can be made use of while the next is read. Each folder is listed once. */
class PartialWalk {
 public:
  PartialWalk(std::string root, std::vector<WalkFolder> folders);
  PartialWalk(const PartialWalk&) = delete;
  PartialWalk& operator=(const PartialWalk&) = delete;
  ~PartialWalk();

  /** The next entries, so many at most: none at the end. Throws as `walk` does. */
  GrowingBytes next(std::size_t entries);
  /** Whether there are no more. */
  [[nodiscard]] bool done() const;

 private:
  struct OpenFolder;
  void open_next();

  std::string root_;
  std::vector<WalkFolder> folders_;
  FileDescriptor top_;
  std::size_t number_ = 0;  ///< of the folder that is open, or else of the next
  std::unique_ptr<OpenFolder> open_;
};

}  // namespace hostbrick
