#include "process/spawn.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <future>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support.h"

namespace hostbrick::test {

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

Ending run(std::vector<std::string> arguments, std::string input = {}) {
  const Event interrupt;
  return run_program({std::move(arguments), {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}, std::move(input)},
                     interrupt);
}

Ending run_script(const std::string& script, std::string input = {}) {
  return run({"sh", "-c", script}, std::move(input));
}

// A program that runs on another thread, to be interrupted.
class RunningScript {
 public:
  explicit RunningScript(const std::string& script)
      : ending_(std::async(std::launch::async, [this, script] {
          return run_program({{"sh", "-c", script}, {"PATH=/usr/bin:/bin"}, {}}, interrupt_);
        })) {}

  void interrupt() { interrupt_.set(); }
  Ending wait() {
    REQUIRE(ending_.wait_for(deadline) == std::future_status::ready);
    return ending_.get();
  }

 private:
  Event interrupt_;
  std::future<Ending> ending_;
};

bool lives(pid_t pid) {
  // A zombie that its new parent has not reaped yet is dead.
  const auto state = content_of("/proc/" + std::to_string(pid) + "/stat");
  const auto end = state.rfind(')');
  return end != std::string::npos && state.substr(end, 3) != ") Z";
}

TEST_SUITE_BEGIN("spawn");

TEST_CASE("a program's exit status and both outputs come back") {
  const auto ending = run_script("echo result; echo trouble >&2; exit 7");
  CHECK(ending.code == 7);
  CHECK(ending.signal == 0);
  CHECK(ending.output == "result\n");
  CHECK(ending.error == "trouble\n");
  CHECK(run({"true"}).code == 0);
}

TEST_CASE("a program's death by a signal is told apart") {
  const auto ending = run_script("echo before; kill -TERM $$");
  CHECK(ending.code == -1);
  CHECK(ending.signal == SIGTERM);
  CHECK(ending.output == "before\n");
}

TEST_CASE("arguments and environment are the program's own") {
  CHECK(run({"printf", "%s|", "a b", "$HOME", "", "*"}).output == "a b|$HOME||*|");
  const Event interrupt;
  CHECK(run_program({{"/usr/bin/env"}, {"A=1", "B=two words"}, {}}, interrupt).output == "A=1\nB=two words\n");
}

TEST_CASE("a program is looked for in the PATH that it is given, and nowhere else") {
  const Event interrupt;
  CHECK(run_program({{"true"}, {"PATH=/nowhere::/usr/bin"}, {}}, interrupt).code == 0);
  for (const auto* path : {"PATH=/nowhere", "PATH=", "NO_PATH=/usr/bin"}) {
    CHECK(failure_of([&] { run_program({{"true"}, {path}, {}}, interrupt); }).error() == ENOENT);
  }
}

TEST_CASE("input goes through, far more than a pipe holds") {
  CHECK(run({"cat"}, "secret").output == "secret");
  std::string input(mebibyte, '\0');
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<char>(i * 7 + i / 251);
  const auto ending = run({"cat"}, input);
  CHECK(ending.code == 0);
  CHECK(ending.output == input);
}

TEST_CASE("a program without input reads the end at once") { CHECK(run({"cat"}).output.empty()); }

TEST_CASE("a program need not read its input") {
  const auto ending = run({"true"}, std::string(mebibyte, 'x'));
  CHECK(ending.code == 0);
}

TEST_CASE("output beyond 1 MiB is cut and the program still ends") {
  const auto ending = run_script("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 3");
  CHECK(ending.code == 3);
  CHECK(ending.output.size() == mebibyte);
  CHECK(ending.error.size() == mebibyte);
}

TEST_CASE("a missing program is an error") {
  const auto failure = failure_of([] { run({"hostbrick-no-such-program"}); });
  CHECK(failure.error() == ENOENT);
  CHECK(failure.operation() == "posix_spawn");
  CHECK(failure.path() == "hostbrick-no-such-program");
  CHECK(failure_of([] { run({"/etc/passwd"}); }).error() == EACCES);
}

TEST_CASE("interrupt kills the program and all its group") {
  const TemporaryFolder folder;
  const auto path = folder / "pid";
  // The grandchild ignores the polite signals.
  RunningScript program("(trap '' TERM INT HUP; sleep 1000) & echo $! > '" + path + ".new'; mv '" + path + ".new' '" +
                        path + "'; wait");
  REQUIRE(eventually([&] { return std::filesystem::exists(path); }));
  const auto grandchild = static_cast<pid_t>(std::stol(content_of(path)));
  REQUIRE(lives(grandchild));

  program.interrupt();
  const auto ending = program.wait();
  CHECK(ending.code == -1);
  CHECK(ending.signal == SIGKILL);
  CHECK(eventually([&] { return !lives(grandchild); }));
}

TEST_CASE("interrupt ends a program that never stops writing") {
  const TemporaryFolder folder;
  RunningScript program("echo > '" + folder / "started" + "'; exec cat /dev/zero");
  REQUIRE(eventually([&] { return std::filesystem::exists(folder / "started"); }));
  program.interrupt();
  CHECK(program.wait().signal == SIGKILL);
}

TEST_CASE("a program that was interrupted before it started ends") {
  Event interrupt;
  interrupt.set();
  CHECK(run_program({{"sleep", "1000"}, {"PATH=/usr/bin:/bin"}, {}}, interrupt).signal == SIGKILL);
}

TEST_CASE("a daemon left behind does not delay the end, though it holds the pipes") {
  const auto start = std::chrono::steady_clock::now();
  const auto ending = run_script("sleep 1000 & echo $!; exit 5");
  CHECK(ending.code == 5);
  const auto daemon = static_cast<pid_t>(std::stol(ending.output));
  CHECK(lives(daemon));
  ::kill(daemon, SIGKILL);
  CHECK(std::chrono::steady_clock::now() - start < deadline);
}

TEST_CASE("none of our descriptors leaks into a program") {
  // What this test itself was started with is not ours to close.
  std::set<std::string> expected{"0", "1", "2"};
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const auto name = entry.path().filename().string();
    const auto flags = ::fcntl(std::stoi(name), F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) expected.insert(name);
  }
  std::istringstream names(run({"ls", "/proc/self/fd"}).output);
  std::set<std::string> unexpected;
  for (std::string name; std::getline(names, name);) {
    if (!expected.contains(name)) unexpected.insert(name);
  }
  CHECK(unexpected.size() == 1);  // The folder that ls reads.
}

TEST_CASE("a program gets its signals as if from a shell") {
  sigset_t term;
  ::sigemptyset(&term);
  ::sigaddset(&term, SIGTERM);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &term, &before);
  // SIGPIPE is ignored here, see main.cc.
  std::istringstream status(run({"grep", "-hE", "^Sig(Blk|Ign)", "/proc/self/status"}).output);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::string name;
  for (unsigned long signals = 0; status >> name >> std::hex >> signals;) {
    CAPTURE(name);
    CHECK((signals & 0x7fffffffU) == 0);  // Above are the C library's own.
  }
  CHECK(name == "SigIgn:");
}

TEST_CASE("a program of which nobody can say how it ended has not succeeded") {
  // The kernel keeps no status for a process that ignores SIGCHLD.
  auto* const before = std::signal(SIGCHLD, SIG_IGN);
  const auto failure = failure_of([] { run_script("sleep 0.2"); });
  std::signal(SIGCHLD, before);
  CHECK(failure.error() == ECHILD);
  CHECK(failure.operation() == "waitpid");
}

TEST_CASE("a program that has been started needs no more descriptors than it took to start it") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit few{64, before.rlim_max};
  const Event interrupt;
  std::vector<FileDescriptor> files;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  do files.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  while (files.back());
  // Both ends of three pipes.
  for (int count = 0; count < 7; ++count) files.pop_back();
  const auto failure = failure_of([&] { run_program({{"/bin/true"}, {}, {}}, interrupt); });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CAPTURE(failure.what());
  CHECK(failure.error() == 0);
}

TEST_CASE("a program leaves no zombie and no descriptor") {
  const auto count = [] {
    return std::ranges::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                 std::filesystem::directory_iterator());
  };
  run({"true"});
  const auto before = count();
  run_script("echo; echo >&2", "input");
  failure_of([] { run({"hostbrick-no-such-program"}); });
  CHECK(count() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
