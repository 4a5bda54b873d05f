#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/file_descriptor.h"

namespace hostbrick {

/**
 * Takes an exclusive lock on the byte at `offset` of the file at `path`, which is created when missing, and waits for
 * it as long as another holder keeps it. The lock is an open file description's (fcntl(2), F_OFD_SETLKW): it ends when
 * the returned descriptor is closed or the process dies, and holds between the threads of one process too.
 */
FileDescriptor lock_byte(const std::string& path, std::int64_t offset);

/** The same without waiting: nothing while another holder keeps it. */
std::optional<FileDescriptor> try_lock_byte(const std::string& path, std::int64_t offset);

}  // namespace hostbrick
