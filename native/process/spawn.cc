#include "process/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <utility>

#include "core/file_descriptor.h"
#include "core/system_error.h"

namespace hostbrick {

namespace {

constexpr std::size_t output_limit = std::size_t{1} << 20;

struct Pipe {
  FileDescriptor reader;
  FileDescriptor writer;

  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) throw SystemError(errno, "pipe2");
    reader = FileDescriptor(ends[0]);
    writer = FileDescriptor(ends[1]);
  }
};

void make_nonblocking(const FileDescriptor& file) { ::fcntl(file.get(), F_SETFL, O_NONBLOCK); }

class Spawn {
 public:
  Spawn() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Spawn() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  void connect(const FileDescriptor& ours, int theirs) {
    ::posix_spawn_file_actions_adddup2(&actions_, ours.get(), theirs);
  }

  pid_t start(const Program& program) {
    auto arguments = pointers(program.arguments);
    auto environment = pointers(program.environment);
    pid_t pid = 0;
    const auto error =
        ::posix_spawn(&pid, find(program).c_str(), &actions_, &attributes_, arguments.data(), environment.data());
    if (error != 0) throw SystemError(error, "posix_spawn", program.arguments.front());
    return pid;
  }

 private:
  // posix_spawnp(3) would search the PATH of our own process, and not the one that the program is to have.
  static std::string find(const Program& program) {
    const auto& name = program.arguments.front();
    if (name.find('/') != std::string::npos) return name;
    for (const auto& variable : program.environment) {
      if (!variable.starts_with("PATH=")) continue;
      for (std::size_t begin = 5; begin <= variable.size();) {
        const auto end = std::min(variable.find(':', begin), variable.size());
        auto path = variable.substr(begin, end - begin) + "/" + name;
        if (end > begin && ::access(path.c_str(), X_OK) == 0) return path;
        begin = end + 1;
      }
    }
    throw SystemError(ENOENT, "posix_spawn", name);
  }

  static std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    // posix_spawn(3) takes char* for history's sake and changes nothing.
    list.reserve(texts.size() + 1);
    for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// Reads some of what is there, so that a program which never stops writing cannot keep us; closes the pipe at its end.
void drain(FileDescriptor& pipe, std::string& text) {
  if (!pipe) return;
  std::array<char, 65536> buffer{};
  const auto got = ::read(pipe.get(), buffer.data(), buffer.size());
  if (got == 0) pipe.close();
  if (got <= 0) return;
  const auto room = output_limit - text.size();
  text.append(buffer.data(), std::min(static_cast<std::size_t>(got), room));
}

// Reads all that an ended program has left in the pipe: a pipe's size at most, whoever else may still write to it.
void drain_rest(FileDescriptor& pipe, std::string& text) {
  for (std::size_t before = text.size() + 1, reads = 0; pipe && text.size() != before && reads < 16; ++reads) {
    before = text.size();
    drain(pipe, text);
  }
}

// Writes what the pipe takes; closes it when all is written or nobody reads any more. Our threads block SIGPIPE.
void feed(FileDescriptor& pipe, std::string_view& rest) {
  while (!rest.empty()) {
    const auto put = ::write(pipe.get(), rest.data(), rest.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      break;
    }
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
  pipe.close();
}

// A running program and its whole process group; whatever happens to us, neither it nor its zombie stays.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), process_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
    if (process_) return;
    const auto error = errno;
    end();
    throw SystemError(error, "pidfd_open");
  }
  ~Child() {
    if (pid_ > 0) end();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] int descriptor() const { return process_.get(); }
  void kill() const noexcept { ::kill(-pid_, SIGKILL); }

  // Returns the status of a program that has ended. ECHILD: somebody else in this process has it, or SIGCHLD is
  // ignored.
  int wait() {
    const auto pid = std::exchange(pid_, 0);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
      if (errno != EINTR) throw SystemError(errno, "waitpid");
    }
    return status;
  }

 private:
  void end() const noexcept {
    kill();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  pid_t pid_;
  FileDescriptor process_;
};

}  // namespace

Ending run_program(const Program& program, const Event& interrupt) {
  Pipe input;
  Pipe output;
  Pipe error;
  Spawn spawn;
  spawn.connect(input.reader, STDIN_FILENO);
  spawn.connect(output.writer, STDOUT_FILENO);
  spawn.connect(error.writer, STDERR_FILENO);
  make_nonblocking(input.writer);
  make_nonblocking(output.reader);
  make_nonblocking(error.reader);
  const auto pid = spawn.start(program);
  // Before the child asks for a descriptor itself: a program that has been started is not to fail for lack of one.
  input.reader.close();
  output.writer.close();
  error.writer.close();
  Child child(pid);

  Ending ending{-1, 0, {}, {}};
  std::string_view rest = program.input;
  feed(input.writer, rest);
  bool interrupted = false;
  for (bool ended = false; !ended;) {
    // poll(2) ignores the negative descriptors of pipes that are closed already.
    std::array<pollfd, 5> polled{{{child.descriptor(), POLLIN, 0},
                                  {output.reader.get(), POLLIN, 0},
                                  {error.reader.get(), POLLIN, 0},
                                  {input.writer.get(), POLLOUT, 0},
                                  {interrupted ? -1 : interrupt.descriptor(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) throw SystemError(errno, "poll");
    // The program's own end decides, not that of its pipes: a daemon that it left behind may hold those for ever.
    ended = polled[0].revents != 0;
    drain(output.reader, ending.output);
    drain(error.reader, ending.error);
    if (polled[3].revents != 0) feed(input.writer, rest);
    if (polled[4].revents != 0) {
      interrupted = true;
      child.kill();
    }
  }

  drain_rest(output.reader, ending.output);
  drain_rest(error.reader, ending.error);
  const auto status = child.wait();
  if (WIFEXITED(status)) ending.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
  return ending;
}

}  // namespace hostbrick
