#pragma once

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>

#include "core/file_descriptor.h"
#include "core/system_error.h"

namespace hostbrick::test {

/** So long a test waits for what must happen: never reached unless something is broken. */
constexpr std::chrono::seconds deadline{20};

/** Ends a test that this host cannot run; ctest counts it as skipped. */
inline void skip(const std::string& reason) { MESSAGE("skipped: " << reason); }

[[nodiscard]] inline bool is_root() { return ::geteuid() == 0; }

/** What `call` throws; error 0 when it throws nothing. */
template <typename Call>
SystemError failure_of(const Call& call) {
  try {
    call();
  } catch (const SystemError& failure) {
    return failure;
  }
  return {0, "nothing failed"};
}

/** Whether `condition` comes true before the deadline. For states that nobody announces. */
template <typename Condition>
[[nodiscard]] bool eventually(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/** Closed until somebody opens it. */
class Gate {
 public:
  void open() { promise_.set_value(); }
  /** Waits; false when nobody opened it before the deadline. */
  [[nodiscard]] bool pass() const { return opened_.wait_for(deadline) == std::future_status::ready; }

 private:
  std::promise<void> promise_;
  std::shared_future<void> opened_ = promise_.get_future().share();
};

/** A folder that goes, with all in it, at the end of the test. */
class TemporaryFolder {
 public:
  TemporaryFolder() {
    auto name = (std::filesystem::temp_directory_path() / "hostbrick-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] std::string operator/(std::string_view name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /** Writes a file, and the folders on the way to it; returns its path. */
  std::string write(std::string_view name, std::string_view content) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

 private:
  std::filesystem::path path_;
};

[[nodiscard]] inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/** A fork of this process that has run `body` when the constructor returns, and lives on until it is killed. */
class Child {
 public:
  template <typename Body>
  explicit Child(const Body& body) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    FileDescriptor reader(ends[0]);
    FileDescriptor writer(ends[1]);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) live(body, writer);
    writer.close();
    char done = 0;
    REQUIRE(::read(reader.get(), &done, 1) == 1);
  }
  ~Child() { kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  template <typename Body>
  [[noreturn]] static void live(const Body& body, const FileDescriptor& done) {
    try {
      body();
    } catch (...) {
      ::_exit(1);
    }
    if (::write(done.get(), "!", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }

  pid_t pid_ = 0;
};

}  // namespace hostbrick::test
