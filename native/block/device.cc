#include "block/device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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
  const std::unique_ptr<void, Free> block(std::aligned_alloc(4096, (size + 4095) / 4096 * 4096));
  if (!block) throw SystemError(ENOMEM, "aligned_alloc", path);
  const auto got = ::pread(device.get(), block.get(), size, 0);
  if (got < 0) throw SystemError(errno, "pread", path);
  if (static_cast<std::size_t>(got) != size) throw SystemError(EIO, "pread", path, "short read");
}

}  // namespace hostbrick
