#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "block/device.h"
#include "support.h"

namespace hostbrick::test {

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

// A loop device over a temporary file, detached by the kernel when its last user closes it.
class LoopDevice {
 public:
  /** Nothing where there are no loop devices. */
  static std::optional<LoopDevice> attach(const std::string& file, std::uint32_t flags = 0) {
    const FileDescriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    if (!control) return std::nullopt;
    const auto backing = open_path(file, O_RDWR);
    // Somebody else may take the free device first.
    for (int attempt = 0; attempt < 100; ++attempt) {
      const auto number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
      if (number < 0) return std::nullopt;
      auto path = "/dev/loop" + std::to_string(number);
      FileDescriptor device(::open(path.c_str(), O_RDWR | O_CLOEXEC));
      if (!device) return std::nullopt;
      loop_config configuration{};
      configuration.fd = static_cast<std::uint32_t>(backing.get());
      configuration.block_size = 4096;
      configuration.info.lo_flags = LO_FLAGS_AUTOCLEAR | flags;
      if (::ioctl(device.get(), LOOP_CONFIGURE, &configuration) == 0) {
        return LoopDevice(std::move(path), std::move(device));
      }
      if (errno != EBUSY) return std::nullopt;
    }
    return std::nullopt;
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return device_.get(); }

 private:
  LoopDevice(std::string path, FileDescriptor device) : path_(std::move(path)), device_(std::move(device)) {}

  std::string path_;
  FileDescriptor device_;
};

constexpr auto no_loop = "no loop devices for this process";

TEST_SUITE_BEGIN("block");

TEST_CASE("what is not a block device is refused") {
  const TemporaryFolder folder;
  const auto file = folder.write("file", std::string(8192, 'x'));
  for (const auto& path : {file, std::string("/dev/null"), folder.path().string()}) {
    CAPTURE(path);
    const auto failure = failure_of([&] { device_facts(path); });
    CHECK(failure.error() == ENOTBLK);
    CHECK(failure.path() == path);
  }
  CHECK(failure_of([&] { flush_device(file); }).error() == ENOTTY);
  const auto error = failure_of([&] { read_first_block(file); }).error();
  // Not every file system has O_DIRECT.
  CHECK((error == ENOTTY || error == EINVAL));
}

TEST_CASE("a missing device is an error with its path") {
  const TemporaryFolder folder;
  const auto path = folder / "missing";
  for (const auto call : {+[](const std::string& it) { device_facts(it); }, &flush_device,
                          +[](const std::string& it) { held_exclusively(it); }, &read_first_block}) {
    const auto failure = failure_of([&] { call(path); });
    CHECK(failure.error() == ENOENT);
    CHECK(failure.operation() == "open");
    CHECK(failure.path() == path);
  }
}

TEST_CASE("a device tells its facts") {
  const TemporaryFolder folder;
  const auto file = folder.write("backing", std::string(mebibyte, '\0'));
  const auto loop = LoopDevice::attach(file);
  if (!loop) return skip(no_loop);
  const auto facts = device_facts(loop->path());
  struct stat status{};
  REQUIRE(::stat(loop->path().c_str(), &status) == 0);
  CHECK(facts.size == mebibyte);
  CHECK(facts.major == major(status.st_rdev));
  CHECK(facts.minor == minor(status.st_rdev));
  CHECK(facts.logical_block == 4096);
  CHECK_FALSE(facts.read_only);
}

TEST_CASE("a device that took another's place has a later disk sequence") {
  const TemporaryFolder folder;
  const auto file = folder.write("backing", std::string(mebibyte, '\0'));
  const auto first = LoopDevice::attach(file);
  if (!first) return skip(no_loop);
  const auto before = device_facts(first->path()).disk_sequence;
  if (before == 0) return skip("this kernel has no disk sequence");
  const auto second = LoopDevice::attach(file, LO_FLAGS_READ_ONLY);
  REQUIRE(second);
  CHECK(device_facts(second->path()).disk_sequence > before);
  CHECK(device_facts(second->path()).read_only);
  CHECK(device_facts(first->path()).disk_sequence == before);
}

TEST_CASE("flush brings what was written to the medium") {
  const TemporaryFolder folder;
  const auto file = folder.write("backing", std::string(mebibyte, '\0'));
  const auto loop = LoopDevice::attach(file);
  if (!loop) return skip(no_loop);
  const std::string_view text = "written through the page cache";
  REQUIRE(::pwrite(loop->descriptor(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  flush_device(loop->path());
  CHECK(content_of(file).starts_with(text));
}

TEST_CASE("flush drops the cached pages") {
  const TemporaryFolder folder;
  const auto file = folder.write("backing", std::string(mebibyte, 'a'));
  const auto loop = LoopDevice::attach(file);
  if (!loop) return skip(no_loop);
  char first = 0;
  REQUIRE(::pread(loop->descriptor(), &first, 1, 0) == 1);
  CHECK(first == 'a');
  // Behind the device's back: only a read from the medium sees it.
  std::ofstream(file, std::ios::in | std::ios::out) << 'b';
  flush_device(loop->path());
  REQUIRE(::pread(loop->descriptor(), &first, 1, 0) == 1);
  CHECK(first == 'b');
}

TEST_CASE("an exclusive holder is seen for as long as it holds") {
  const TemporaryFolder folder;
  const auto file = folder.write("backing", std::string(mebibyte, '\0'));
  const auto loop = LoopDevice::attach(file);
  if (!loop) return skip(no_loop);
  // An ordinary open, like the loop device's own above, is no holder.
  CHECK_FALSE(held_exclusively(loop->path()));
  auto holder = open_path(loop->path(), O_RDONLY | O_EXCL);
  CHECK(held_exclusively(loop->path()));
  holder.close();
  CHECK_FALSE(held_exclusively(loop->path()));
}

TEST_CASE("the first block is read from a device that answers") {
  const TemporaryFolder folder;
  const auto file = folder.write("backing", std::string(mebibyte, '\0'));
  const auto loop = LoopDevice::attach(file);
  if (!loop) return skip(no_loop);
  read_first_block(loop->path());

  // A device smaller than its own block has none to read.
  REQUIRE(::truncate(file.c_str(), 0) == 0);
  REQUIRE(::ioctl(loop->descriptor(), LOOP_SET_CAPACITY, 0) == 0);
  const auto failure = failure_of([&] { read_first_block(loop->path()); });
  CHECK(failure.error() == EIO);
  CHECK(failure.detail() == "short read");
}

TEST_CASE("a device is read from any block on, up to its end") {
  const TemporaryFolder folder;
  const auto file = folder.write("backing", std::string(2 * mebibyte, '\0') + std::string(mebibyte, 'x'));
  const auto loop = LoopDevice::attach(file);
  if (!loop) return skip(no_loop);
  const auto whole = read_device(loop->path(), 0, 4 * mebibyte);
  REQUIRE(whole.size() == 3 * mebibyte);
  CHECK(whole[2 * mebibyte - 1] == 0);
  CHECK(whole[2 * mebibyte] == 'x');
  const auto part = read_device(loop->path(), 2 * mebibyte - 4096, 8192);
  REQUIRE(part.size() == 8192);
  CHECK(part[4095] == 0);
  CHECK(part[4096] == 'x');
  CHECK(read_device(loop->path(), 3 * mebibyte, 4096).empty());
  CHECK(failure_of([&] { read_device(loop->path(), 1, 4096); }).error() == EINVAL);
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
