#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/growing_bytes.h"

namespace hostbrick {

/** Everything that the file at `path` holds, for state files: at most 16 MiB, else EFBIG. */
std::string read_file(const std::string& path);

/** A file's content, or why it could not be read. */
struct FileRead {
  int error;  ///< errno, or 0
  std::string content;
};

/** The same for many files in one go: one that cannot be read fails nobody but itself. */
std::vector<FileRead> read_files(const std::vector<std::string>& paths);

/** As `read_file`; nothing when the file is not there (any more): what a device has goes with it. */
std::optional<std::string> read_if_there(const std::string& path);

/** The names in a directory, without "." and "..". */
std::vector<std::string> list_directory(const std::string& path);

/** Writes `value` in a single write(2), as sysfs attributes want it. Returns when the kernel has carried it out. */
void write_attribute(const std::string& path, std::string_view value);

/** What each file that a pattern (glob(7)) matches must hold. */
struct Expectation {
  std::string pattern;
  std::string content;
};

/**
 * The same, if all these files hold what is expected: ESTALE when one holds something else. A pattern that matches
 * nothing is no obstacle, nor is a file that goes meanwhile. The attribute is opened before they are looked at: of a
 * device that has been replaced since, the write fails with ENODEV.
 */
void write_attribute_if(const std::vector<Expectation>& expected, const std::string& path, std::string_view value);

/**
 * Adds the sysfs attribute that `directory` (a descriptor, or AT_FDCWD) names `path` to `out`; returns 0 or errno.
 * For the bulk walk, where a missing attribute is an answer and not an exception, and where a read that gives less than
 * it might has given all: the end of a sysfs attribute needs no read of its own.
 */
int read_attribute_at(int directory, const char* path, GrowingBytes& out);

}  // namespace hostbrick
