#pragma once

#include <cstdint>
#include <string>

#include "core/bytes.h"

namespace hostbrick {

/** What an open block device says of itself. */
struct DeviceFacts {
  std::uint64_t size;  ///< bytes
  std::uint32_t major;
  std::uint32_t minor;
  std::uint64_t disk_sequence;  ///< the kernel's counter of disks; never used twice while the host runs (5.15+, else 0)
  std::uint32_t logical_block;  ///< bytes
  bool read_only;
};

/** Opens the device and asks it. ENOTBLK when `path` is something else. */
DeviceFacts device_facts(const std::string& path);

/** Writes out what the page cache and the device's own cache hold, then drops the cached pages (fsync, BLKFLSBUF). */
void flush_device(const std::string& path);

/** Whether a mount, another device or a program holds the device exclusively, in whatever namespace (O_EXCL). */
bool held_exclusively(const std::string& path);

/** Reads the first logical block past the page cache (O_DIRECT): whether the device answers at all. */
void read_first_block(const std::string& path);

/**
 * Reads `length` bytes from `offset` on past the page cache (O_DIRECT), both multiples of the logical block. Less only
 * at the end of the device.
 */
Bytes read_device(const std::string& path, std::uint64_t offset, std::size_t length);

}  // namespace hostbrick
