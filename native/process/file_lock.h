#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/file_descriptor.h"

namespace hostbrick {

/** Exclusive: one holder. Shared: any number of such holders, and none that is exclusive. */
enum class LockKind : std::uint8_t { exclusive, shared };

/**
 * Takes a lock on the byte at `offset` of the file at `path`, which is created when missing, and waits for
 * it as long as other holders keep it. The lock is an open file description's (fcntl(2), F_OFD_SETLKW): it ends when
 * the returned descriptor is closed or the process dies, and holds between the threads of one process too.
 */
FileDescriptor lock_byte(const std::string& path, std::int64_t offset, LockKind kind = LockKind::exclusive);

/** The same without waiting: nothing while other holders keep it. */
std::optional<FileDescriptor> try_lock_byte(const std::string& path, std::int64_t offset,
                                            LockKind kind = LockKind::exclusive);

}  // namespace hostbrick
