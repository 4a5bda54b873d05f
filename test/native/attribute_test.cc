#include "sysfs/attribute.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support.h"

namespace hostbrick::test {

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

TEST_SUITE_BEGIN("attribute");

TEST_CASE("reads everything a file holds") {
  const TemporaryFolder folder;
  // One page is read at a time: the sizes around its multiples are the ones to get wrong.
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 8191U, 8192U, 8193U, 1U << 19U}) {
    CAPTURE(size);
    std::string content(size, 'x');
    if (size > 0) content.back() = '\0';
    CHECK(read_file(folder.write("file", content)) == content);
  }
}

TEST_CASE("a file is read to its end, also when each read gives less than it might") {
  CHECK(hostbrick::read_file("/proc/self/maps").find("[stack]") != std::string::npos);
}

TEST_CASE("a file of more than 16 MiB is refused") {
  const TemporaryFolder folder;
  CHECK(read_file(folder.write("file", std::string(16 * mebibyte - 1, 'x'))).size() == 16 * mebibyte - 1);

  const auto failure = failure_of([&] { read_file(folder.write("file", std::string(16 * mebibyte + 1, 'x'))); });
  CHECK(failure.error() == EFBIG);
  CHECK(failure.path() == folder / "file");
}

TEST_CASE("reads attributes of the kernel's own") { CHECK(read_file("/proc/sys/kernel/ostype") == "Linux\n"); }

TEST_CASE("what cannot be read is an error with its path") {
  const TemporaryFolder folder;
  auto failure = failure_of([&] { read_file(folder / "missing"); });
  CHECK(failure.error() == ENOENT);
  CHECK(failure.path() == folder / "missing");

  failure = failure_of([&] { read_file(folder.path()); });
  CHECK(failure.error() == EISDIR);
}

TEST_CASE("of many files one that cannot be read fails nobody but itself") {
  const TemporaryFolder folder;
  const auto files =
      read_files({folder.write("first", "1"), folder / "missing", folder.path(), folder.write("last", "")});
  REQUIRE(files.size() == 4);
  CHECK(files[0].error == 0);
  CHECK(files[0].content == "1");
  CHECK(files[1].error == ENOENT);
  CHECK(files[2].error == EISDIR);
  CHECK(files[3].error == 0);
  CHECK(files[3].content.empty());
}

TEST_CASE("reads below an open directory, behind what there is") {
  const TemporaryFolder folder;
  folder.write("device/state", "running\n");
  folder.write("device/big", std::string(16 * mebibyte + 1, 'x'));
  const auto directory = open_path(folder.path(), O_PATH | O_DIRECTORY);
  GrowingBytes out;
  out.append("before ");
  CHECK(read_attribute_at(directory.get(), "device/state", out) == 0);
  CHECK(read_attribute_at(directory.get(), "device/missing", out) == ENOENT);
  CHECK(read_attribute_at(directory.get(), "device/big", out) == EFBIG);
  CHECK(out.from(0) == "before running\n");
}

TEST_CASE("lists a directory") {
  const TemporaryFolder folder;
  CHECK(list_directory(folder.path()).empty());
  folder.write("a", "");
  folder.write("folder/b", "");
  folder.write(".hidden", "");
  auto names = list_directory(folder.path());
  std::ranges::sort(names);
  CHECK(names == std::vector<std::string>{".hidden", "a", "folder"});

  auto failure = failure_of([&] { list_directory(folder / "missing"); });
  CHECK(failure.error() == ENOENT);
  CHECK(failure.path() == folder / "missing");
  failure = failure_of([&] { list_directory(folder / "a"); });
  CHECK(failure.error() == ENOTDIR);
}

TEST_CASE("writes a value") {
  const TemporaryFolder folder;
  const auto path = folder.write("scan", "");
  write_attribute(path, "0 0 7");
  CHECK(content_of(path) == "0 0 7");

  CHECK(failure_of([&] { write_attribute(folder / "missing", "1"); }).error() == ENOENT);
  CHECK_FALSE(std::filesystem::exists(folder / "missing"));
}

TEST_CASE("writes a value if other files hold what is expected, or have gone") {
  const TemporaryFolder folder;
  const auto path = folder.write("delete", "");
  const auto number = folder.write("block/sda/diskseq", "17\n");
  write_attribute_if({{number, "17\n"}}, path, "1");
  CHECK(content_of(path) == "1");
  write_attribute_if({}, folder.write("nothing", ""), "1");
  CHECK(content_of(folder / "nothing") == "1");

  const auto other = folder.write("other", "");
  const auto failure = failure_of([&] { write_attribute_if({{number, "18\n"}}, other, "1"); });
  CHECK(failure.error() == ESTALE);
  CHECK(failure.path() == other);
  CHECK(failure_of([&] { write_attribute_if({{number, "17\n"}, {number, "18\n"}}, other, "1"); }).error() == ESTALE);
  CHECK(failure_of([&] { write_attribute_if({{folder.path(), "1"}}, other, "1"); }).error() == EISDIR);
  CHECK(content_of(other).empty());

  write_attribute_if({{folder / "missing", "17\n"}, {folder / "missing/*/diskseq", "17\n"}}, other, "1");
  CHECK(content_of(other) == "1");
  CHECK(failure_of([&] { write_attribute_if({}, folder / "missing", "1"); }).error() == ENOENT);
}

TEST_CASE("a value that is meant for one device is not written when another is at its place, by whatever name") {
  const TemporaryFolder folder;
  const auto path = folder.write("device/delete", "");
  const Expectation expected{folder / "device/block/*/diskseq", "17\n"};
  folder.write("device/block/sdb/diskseq", "18\n");
  CHECK(failure_of([&] { write_attribute_if({expected}, path, "1"); }).error() == ESTALE);
  folder.write("device/block/sda/diskseq", "17\n");
  CHECK(failure_of([&] { write_attribute_if({expected}, path, "1"); }).error() == ESTALE);
  CHECK(content_of(path).empty());

  std::filesystem::remove_all(folder / "device/block/sdb");
  write_attribute_if({expected}, path, "1");
  CHECK(content_of(path) == "1");
}

TEST_CASE("a value goes to the device that was there before it was looked at") {
  const TemporaryFolder folder;
  const auto path = folder.write("delete", "");
  // Whoever reads the number of the old device waits until the new one has come to its place.
  REQUIRE(::mkfifo((folder / "diskseq").c_str(), 0600) == 0);
  std::thread replacement([&] {
    std::ofstream number(folder / "diskseq");
    std::filesystem::rename(path, folder / "old");
    folder.write("delete", "");
    number << "17\n";
  });
  write_attribute_if({{folder / "diskseq", "17\n"}}, path, "1");
  replacement.join();
  CHECK(content_of(folder / "old") == "1");
  CHECK(content_of(path).empty());
}

TEST_CASE("the kernel's refusal is an error") {
  const auto failure = failure_of([] { write_attribute("/dev/full", "1"); });
  CHECK(failure.error() == ENOSPC);
  CHECK(failure.operation() == "write");
  CHECK(failure.path() == "/dev/full");
}

TEST_CASE("a short write is an error and not continued") {
  const TemporaryFolder folder;
  const auto path = folder.write("scan", "");
  // The kernel cuts the write that crosses the limit and refuses the next.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit cut{10, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &cut) == 0);
  const auto failure = failure_of([&] { write_attribute(path, "more than ten bytes"); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);

  CHECK(failure.error() == EIO);
  CHECK(failure.detail() == "short write");
  CHECK(content_of(path) == "more than ");
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
