#include "block/device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "core/file_descriptor.h"
#include "core/system_error.h"

// Since Linux 5.15; older headers do not name it.
#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, __u64)
#endif

namespace hostbrick {

namespace {

template <typename Value>
Value ask(const FileDescriptor& device, unsigned long request, const char* name, const std::string& path) {
  Value value{};
  if (::ioctl(device.get(), request, &value) < 0) throw SystemError(errno, name, path);
  return value;
}

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};
using Memory = std::unique_ptr<std::uint8_t, Free>;

// Memory for O_DIRECT.
Memory aligned_memory(std::size_t size, const std::string& path) {
  constexpr std::size_t alignment = 4096;
  Memory memory(
      static_cast<std::uint8_t*>(std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)));
  if (!memory) throw SystemError(ENOMEM, "aligned_alloc", path);
  return memory;
}

std::size_t read_at(const FileDescriptor& device, std::uint8_t* memory, std::size_t size, std::uint64_t offset,
                    const std::string& path) {
  const auto got = ::pread(device.get(), memory, size, static_cast<off_t>(offset));
  if (got < 0) throw SystemError(errno, "pread", path);
  return static_cast<std::size_t>(got);
}

}  // namespace

DeviceFacts device_facts(const std::string& path) {
  // O_NONBLOCK: an open of a removable or failing device is not to wait for its medium.
  const auto device = open_path(path, O_RDONLY | O_NONBLOCK);
  struct stat status{};
  if (::fstat(device.get(), &status) < 0) throw SystemError(errno, "fstat", path);
  if (!S_ISBLK(status.st_mode)) throw SystemError(ENOTBLK, "fstat", path);

  DeviceFacts facts{};
  facts.size = ask<std::uint64_t>(device, BLKGETSIZE64, "BLKGETSIZE64", path);
  facts.major = major(status.st_rdev);
  facts.minor = minor(status.st_rdev);
  if (::ioctl(device.get(), BLKGETDISKSEQ, &facts.disk_sequence) < 0) facts.disk_sequence = 0;
  facts.logical_block = static_cast<std::uint32_t>(ask<int>(device, BLKSSZGET, "BLKSSZGET", path));
  facts.read_only = ask<int>(device, BLKROGET, "BLKROGET", path) != 0;
  return facts;
}

void flush_device(const std::string& path) {
  const auto device = open_path(path, O_RDONLY | O_NONBLOCK);
  if (::fsync(device.get()) < 0) throw SystemError(errno, "fsync", path);
  if (::ioctl(device.get(), BLKFLSBUF, 0) < 0) throw SystemError(errno, "BLKFLSBUF", path);
}

bool held_exclusively(const std::string& path) {
  const FileDescriptor device(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_EXCL | O_CLOEXEC));
  if (device) return false;
  if (errno == EBUSY) return true;
  throw SystemError(errno, "open", path);
}

void read_first_block(const std::string& path) {
  const auto device = open_path(path, O_RDONLY | O_DIRECT);
  const auto size = static_cast<std::size_t>(ask<int>(device, BLKSSZGET, "BLKSSZGET", path));
  const auto block = aligned_memory(size, path);
  if (read_at(device, block.get(), size, 0, path) != size) throw SystemError(EIO, "pread", path, "short read");
}

Bytes read_device(const std::string& path, std::uint64_t offset, std::size_t length) {
  constexpr std::size_t chunk = std::size_t{1} << 20;
  const auto device = open_path(path, O_RDONLY | O_DIRECT);
  const auto memory = aligned_memory(chunk, path);
  Bytes bytes;
  while (bytes.size() < length) {
    const auto got = read_at(device, memory.get(), std::min(chunk, length - bytes.size()), offset + bytes.size(), path);
    if (got == 0) break;
    bytes.insert(bytes.end(), memory.get(), memory.get() + got);
  }
  return bytes;
}

}  // namespace hostbrick
