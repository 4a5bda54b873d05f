#include "process/file_lock.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <future>
#include <sstream>
#include <string>

#include "support.h"

namespace hostbrick::test {

namespace {

// Whether somebody holds the byte, asked from an open file description of its own.
bool is_locked(const std::string& path, std::int64_t offset) {
  const auto file = open_path(path, O_RDWR);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  REQUIRE(::fcntl(file.get(), F_OFD_GETLK, &lock) == 0);
  return lock.l_type != F_UNLCK;
}

// Whether the kernel has somebody waiting for a lock on the file: the lines with an arrow in /proc/locks.
bool is_waited_for(const std::string& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  const auto inode = ":" + std::to_string(status.st_ino) + " ";
  std::istringstream lines(content_of("/proc/locks"));
  for (std::string line; std::getline(lines, line);) {
    if (line.find("->") != std::string::npos && line.find(inode) != std::string::npos) return true;
  }
  return false;
}

std::future<FileDescriptor> start_locking(const std::string& path, std::int64_t offset) {
  return std::async(std::launch::async, [=] { return lock_byte(path, offset); });
}

bool is_ready(const std::future<FileDescriptor>& lock, std::chrono::seconds patience) {
  return lock.wait_for(patience) == std::future_status::ready;
}

TEST_SUITE_BEGIN("file_lock");

TEST_CASE("a lock that is held is not waited for") {
  const TemporaryFolder folder;
  const auto path = folder / "lock";
  auto held = try_lock_byte(path, 5);
  REQUIRE(held);
  CHECK(is_locked(path, 5));
  CHECK_FALSE(try_lock_byte(path, 5));
  CHECK(try_lock_byte(path, 6));
  held.reset();
  CHECK(try_lock_byte(path, 5));
  CHECK(failure_of([&] { try_lock_byte(folder / "missing/lock", 5); }).error() == ENOENT);
}

TEST_CASE("a shared lock excludes only exclusive ones") {
  const TemporaryFolder folder;
  const auto path = folder / "lock";
  auto one = try_lock_byte(path, 5, LockKind::shared);
  auto other = try_lock_byte(path, 5, LockKind::shared);
  REQUIRE(one);
  REQUIRE(other);
  CHECK_FALSE(try_lock_byte(path, 5));
  one.reset();
  CHECK_FALSE(try_lock_byte(path, 5));
  other.reset();
  auto exclusive = try_lock_byte(path, 5);
  REQUIRE(exclusive);
  CHECK_FALSE(try_lock_byte(path, 5, LockKind::shared));
}

TEST_CASE("a lock excludes within the process until it is closed") {
  const TemporaryFolder folder;
  const auto path = folder / "lock";
  auto held = lock_byte(path, 5);
  CHECK(is_locked(path, 5));
  auto second = start_locking(path, 5);
  REQUIRE(eventually([&] { return is_waited_for(path); }));
  CHECK_FALSE(is_ready(second, std::chrono::seconds(0)));

  held.close();
  REQUIRE(is_ready(second, deadline));
  CHECK(is_locked(path, 5));
  second.get().close();
  CHECK_FALSE(is_locked(path, 5));
}

TEST_CASE("different bytes do not exclude each other") {
  const TemporaryFolder folder;
  const auto path = folder / "lock";
  constexpr std::int64_t far = std::int64_t{1} << 61;
  const auto first = lock_byte(path, 0);
  const auto second = lock_byte(path, 1);
  const auto third = lock_byte(path, far);
  CHECK(is_locked(path, 0));
  CHECK(is_locked(path, 1));
  CHECK_FALSE(is_locked(path, 2));
  CHECK(is_locked(path, far));
  CHECK_FALSE(is_locked(path, far + 1));
  CHECK(std::filesystem::file_size(path) == 0);
}

TEST_CASE("a lock excludes between processes and ends with the process that holds it") {
  const TemporaryFolder folder;
  const auto path = folder / "lock";
  FileDescriptor theirs;
  Child holder([&] { theirs = lock_byte(path, 7); });
  CHECK(is_locked(path, 7));
  CHECK_FALSE(is_locked(path, 8));
  auto ours = start_locking(path, 7);
  REQUIRE(eventually([&] { return is_waited_for(path); }));

  holder.kill();
  REQUIRE(is_ready(ours, deadline));
  CHECK(is_locked(path, 7));
}

TEST_CASE("the lock file is made for its owner only and kept as it is") {
  const TemporaryFolder folder;
  const auto path = folder / "lock";
  lock_byte(path, 0);
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0600);

  const auto other = folder.write("other", "content");
  lock_byte(other, 0);
  CHECK(content_of(other) == "content");
}

TEST_CASE("a lock file that cannot be opened is an error") {
  const TemporaryFolder folder;
  const auto failure = failure_of([&] { lock_byte(folder / "missing/lock", 0); });
  CHECK(failure.error() == ENOENT);
  CHECK(failure.path() == folder / "missing/lock");
  CHECK(failure_of([&] { lock_byte(folder / "lock", -1); }).error() == EINVAL);
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
