#pragma once

#include <string>
#include <vector>

namespace hostbrick {

/** Something to read of an entry: a path relative to it. Only asked for when the entry's own path contains `below`. */
struct WalkField {
  std::string name;
  std::string below;  ///< empty: always
};

/** One folder of symlinks to devices, such as class/block, and what to read of each device. */
struct WalkFolder {
  std::string path;  ///< relative to the walk's root
  std::vector<WalkField> attributes;
  std::vector<WalkField> directories;  ///< names of what is in them, such as holders
};

/**
 * Reads all entries of all folders in one go and returns them as one block of bytes (lib/inventory/walk.ts reads it):
 *
 *     entry      = folder u8, name, link, attribute* , directory*       in the order they were asked for
 *     name, link = bytes                                                link: the symlink's text, the entry's place
 *     attribute  = bytes | absent
 *     directory  = count i32, bytes{count} | absent
 *     bytes      = length i32, byte{length}
 *     absent     = -errno i32                                           -ENOENT also when `below` did not match
 *
 * Integers are little-endian. A folder that does not exist has no entries. An entry that vanishes during the walk is
 * left out: its first attribute is read last, and when that has gone the device has too.
 * Throws SystemError when a folder cannot be read for any other reason.
 */
std::string walk(const std::string& root, const std::vector<WalkFolder>& folders);

}  // namespace hostbrick
