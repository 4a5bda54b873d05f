#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>

#include "files/operations.h"
#include "support.h"

namespace hostbrick::test {

namespace {

// What answers the core's fsync while a test plays the disk; else the kernel does. Below 0 it is -errno.
std::function<int(int file)> played_fsync;

}  // namespace

}  // namespace hostbrick::test

// The linker sends the core's calls of fsync here (--wrap).
extern "C" int __real_fsync(int file);
extern "C" int __wrap_fsync(int file);
extern "C" int __wrap_fsync(int file) {
  if (!hostbrick::test::played_fsync) return __real_fsync(file);
  const auto result = hostbrick::test::played_fsync(file);
  if (result >= 0) return result;
  errno = -result;
  return -1;
}

namespace hostbrick::test {

namespace {

unsigned mode_of(const std::string& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

template <typename Action>
SystemError failure_of_one(const Action& action) {
  return failure_of([&] { carry_out({{action, {}}}); });
}

TEST_SUITE_BEGIN("files");

TEST_CASE("a file is created with its content and mode, once") {
  const TemporaryFolder folder;
  const std::string content("a\0b", 3);
  carry_out({{CreateFile{folder / "file", content, 0600}, {}}, {CreateFile{folder / "empty", "", 0644}, {}}});
  CHECK(content_of(folder / "file") == content);
  CHECK(mode_of(folder / "file") == 0600);
  CHECK(content_of(folder / "empty").empty());

  const auto failure = failure_of_one(CreateFile{folder / "file", "other", 0600});
  CHECK(failure.error() == EEXIST);
  CHECK(failure.path() == folder / "file");
  CHECK(content_of(folder / "file") == content);
}

TEST_CASE("a durable file is on the disk with all its content, or is none") {
  const TemporaryFolder folder;
  std::string synchronized;
  int result = 0;
  played_fsync = [&](int file) {
    synchronized = content_of("/proc/self/fd/" + std::to_string(file));
    return result;
  };
  carry_out({{CreateFile{folder / "plain", "plain", 0600}, {}}});
  CHECK(synchronized.empty());
  carry_out({{CreateFile{folder / "durable", "durable", 0600, true}, {}}});
  CHECK(synchronized == "durable");
  result = -EIO;
  const auto failure = failure_of_one(CreateFile{folder / "lost", "lost", 0600, true});
  played_fsync = {};
  CHECK(failure.error() == EIO);
  CHECK(failure.operation() == "fsync");
  CHECK(failure.path() == folder / "lost");
  CHECK_FALSE(std::filesystem::exists(folder / "lost"));
}

TEST_CASE("a folder is made and removed when it is empty") {
  const TemporaryFolder folder;
  carry_out({{MakeDirectory{folder / "a", 0700}, {}}});
  CHECK(mode_of(folder / "a") == 0700);
  CHECK(failure_of_one(MakeDirectory{folder / "a", 0700}).error() == EEXIST);
  CHECK(failure_of_one(MakeDirectory{folder / "b/c", 0700}).error() == ENOENT);

  folder.write("a/file", "");
  const auto failure = failure_of_one(RemoveDirectory{folder / "a"});
  CHECK(failure.error() == ENOTEMPTY);
  CHECK(failure.path() == folder / "a");
  carry_out({{UnlinkFile{folder / "a/file"}, {}}, {RemoveDirectory{folder / "a"}, {}}});
  CHECK_FALSE(std::filesystem::exists(folder / "a"));
}

TEST_CASE("a rename replaces what was there") {
  const TemporaryFolder folder;
  folder.write("new", "new");
  folder.write("old", "old");
  carry_out({{RenameFile{folder / "new", folder / "old"}, {}}});
  CHECK(content_of(folder / "old") == "new");
  CHECK_FALSE(std::filesystem::exists(folder / "new"));
  CHECK(failure_of_one(RenameFile{folder / "missing", folder / "old"}).error() == ENOENT);
}

TEST_CASE("a link never replaces what is there") {
  const TemporaryFolder folder;
  folder.write("one", "one");
  folder.write("two", "two");
  carry_out({{LinkFile{folder / "one", folder / "three"}, {}}});
  CHECK(content_of(folder / "three") == "one");
  const auto failure = failure_of_one(LinkFile{folder / "one", folder / "two"});
  CHECK(failure.error() == EEXIST);
  CHECK(failure.path() == folder / "two");
  CHECK(content_of(folder / "two") == "two");
}

TEST_CASE("a symbolic link names what may not be there, and leads to what is") {
  const TemporaryFolder folder;
  folder.write("one", "one");
  carry_out({{SymbolicLink{"one", folder / "a"}, {}}, {SymbolicLink{folder / "a", folder / "b"}, {}}});
  CHECK(resolve_path(folder / "b") == std::filesystem::canonical(folder / "one"));
  CHECK(failure_of_one(SymbolicLink{"two", folder / "a"}).error() == EEXIST);
  carry_out({{SymbolicLink{"missing", folder / "c"}, {}}});
  const auto failure = failure_of([&] { resolve_path(folder / "c"); });
  CHECK(failure.error() == ENOENT);
  CHECK(failure.operation() == "realpath");
}

TEST_CASE("unlinking what is missing or a folder is an error") {
  const TemporaryFolder folder;
  CHECK(failure_of_one(UnlinkFile{folder / "missing"}).error() == ENOENT);
  CHECK(failure_of_one(UnlinkFile{folder.path()}).error() == EISDIR);
  CHECK(failure_of_one(RemoveDirectory{folder / "missing"}).error() == ENOENT);
}

TEST_CASE("operations are carried out in order up to the first failure that is not tolerated") {
  const TemporaryFolder folder;
  const auto failure = failure_of([&] {
    carry_out({
        {UnlinkFile{folder / "missing"}, {EEXIST, ENOENT}},
        {MakeDirectory{folder / "a", 0700}, {}},
        {MakeDirectory{folder / "a", 0700}, {EEXIST}},
        {CreateFile{folder / "a/file", "content", 0600}, {}},
        {RemoveDirectory{folder / "a"}, {ENOENT}},
        {UnlinkFile{folder / "a/file"}, {}},
    });
  });
  CHECK(failure.error() == ENOTEMPTY);
  CHECK(failure.operation() == "rmdir");
  CHECK(content_of(folder / "a/file") == "content");
  carry_out({});
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
