#pragma once

#include <string>
#include <string_view>

namespace hostbrick {

/** Small file operations for state that others share with us, each one system call but for create_file. All throw
 * SystemError. */

void make_directory(const std::string& path, unsigned mode);

/** A new file with this content; EEXIST when there is one. */
void create_file(const std::string& path, std::string_view content, unsigned mode);

/** Atomic: whoever opens `to` sees the one file or the other, whole. */
void rename_file(const std::string& from, const std::string& to);

void link_file(const std::string& from, const std::string& to);

void unlink_file(const std::string& path);

/** ENOTEMPTY when something is in it. */
void remove_directory(const std::string& path);

}  // namespace hostbrick
