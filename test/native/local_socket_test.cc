#include "network/local_socket.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "support.h"

using namespace std::chrono_literals;
using hostbrick::test::failure_of;
using hostbrick::test::is_root;
using hostbrick::test::skip;
using hostbrick::test::TemporaryFolder;

namespace {

void bind_abstract(const hostbrick::FileDescriptor& listener, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
}

// Answers one client as iscsid does: reads exactly so many bytes, says "yes" and closes the connection.
class Daemon {
 public:
  explicit Daemon(std::size_t length) : name_("hostbrick-native-test-" + std::to_string(::getpid())) {
    bind_abstract(listener_, name_);
    REQUIRE(::listen(listener_.get(), 1) == 0);
    thread_ = std::thread([this, length] {
      const hostbrick::FileDescriptor client(::accept(listener_.get(), nullptr, nullptr));
      std::string request(length, '\0');
      if (::recv(client.get(), request.data(), length, MSG_WAITALL) != static_cast<ssize_t>(length)) return;
      (void)::send(client.get(), "yes", 3, MSG_NOSIGNAL);
    });
  }
  ~Daemon() { thread_.join(); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
  hostbrick::FileDescriptor listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::thread thread_;
};

// A socket that listens at a path.
class Listener {
 public:
  explicit Listener(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket_.get(), 1) == 0);
  }

  void close() { socket_.close(); }
  void accept() const { hostbrick::FileDescriptor(::accept(socket_.get(), nullptr, nullptr)).close(); }
  /** Connections that wait to be accepted, as many as there is room for. */
  [[nodiscard]] static std::vector<hostbrick::FileDescriptor> fill(const std::string& path) {
    std::vector<hostbrick::FileDescriptor> waiting;
    while (failure_of([&] { waiting.push_back(hostbrick::connect_path(path, 1ms)); }).error() == 0) {
    }
    return waiting;
  }
  /** As another user: whoever connects then is told who listened last. */
  void listen_as(uid_t user) {
    REQUIRE(::seteuid(user) == 0);
    const auto result = ::listen(socket_.get(), 1);
    REQUIRE(::seteuid(0) == 0);
    REQUIRE(result == 0);
  }

 private:
  hostbrick::FileDescriptor socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

hostbrick::SystemError refusal(const std::string& path) {
  return failure_of([&] { (void)hostbrick::connect_path(path, 5s); });
}

}  // namespace

TEST_SUITE("a connection to a path") {
  TEST_CASE("is made where somebody listens") {
    const TemporaryFolder folder;
    const Listener listener(folder / "socket");
    CHECK(hostbrick::connect_path(folder / "socket", 5s));
  }

  TEST_CASE("fails where nothing is, and where nobody listens any more") {
    const TemporaryFolder folder;
    CHECK(refusal(folder / "socket").error() == ENOENT);
    Listener listener(folder / "socket");
    listener.close();
    CHECK(refusal(folder / "socket").error() == ECONNREFUSED);
    CHECK(refusal(folder / "socket").path() == folder / "socket");
  }

  TEST_CASE("takes an address of as many bytes as there is room for, and none that is longer") {
    CHECK(refusal("/" + std::string(107, 'x')).error() == ENOENT);
    CHECK(refusal("/" + std::string(108, 'x')).error() == ENAMETOOLONG);
    // The NUL before an abstract name counts.
    const auto error_of = [](std::size_t size) {
      return failure_of([size] { (void)hostbrick::connect_abstract(std::string(size, 'x'), 5s); }).error();
    };
    CHECK(error_of(107) == ECONNREFUSED);
    CHECK(error_of(108) == ENAMETOOLONG);
  }

  TEST_CASE("is given up when the listener's queue has no room for it, and made as soon as it has") {
    const TemporaryFolder folder;
    const Listener listener(folder / "socket");
    const auto waiting = Listener::fill(folder / "socket");
    const auto start = std::chrono::steady_clock::now();
    CHECK(failure_of([&] { (void)hostbrick::connect_path(folder / "socket", 50ms); }).error() == EAGAIN);
    CHECK(std::chrono::steady_clock::now() - start >= 50ms);
    std::thread late([&] {
      std::this_thread::sleep_for(10ms);
      listener.accept();
    });
    CHECK(hostbrick::connect_path(folder / "socket", 20s));
    late.join();
  }

  TEST_CASE("is not made to another user's socket, even if the path was root's") {
    if (!is_root()) return skip("needs root");
    const TemporaryFolder folder;
    Listener listener(folder / "socket");
    listener.listen_as(65'534);
    CHECK(refusal(folder / "socket").error() == EACCES);
    listener.listen_as(0);
    CHECK(refusal(folder / "socket").error() == 0);
  }
}

TEST_SUITE("a question to a daemon") {
  TEST_CASE("that is as long as it reads is consumed, and the answer bears its writer's process") {
    const Daemon daemon(16'112);
    const auto answer = hostbrick::ask_abstract(daemon.name(), std::string(16'112, 'x'), 5s);
    CHECK(std::string(answer.bytes.begin(), answer.bytes.end()) == "yes");
    CHECK(answer.pid == ::getpid());
    CHECK(answer.consumed);
  }

  TEST_CASE("that is a byte too long is answered, but not consumed") {
    const Daemon daemon(16'112);
    const auto answer = hostbrick::ask_abstract(daemon.name(), std::string(16'113, 'x'), 5s);
    CHECK(answer.bytes.size() == 3);
    CHECK_FALSE(answer.consumed);
  }

  TEST_CASE("is given up when the daemon does not even accept it") {
    const hostbrick::FileDescriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto name = "hostbrick-native-test-deaf-" + std::to_string(::getpid());
    bind_abstract(listener, name);
    REQUIRE(::listen(listener.get(), 0) == 0);
    const auto waiting = hostbrick::connect_abstract(name, 5s);
    CHECK(failure_of([&] { (void)hostbrick::ask_abstract(name, "ask", 50ms); }).error() == EAGAIN);
  }

  TEST_CASE("that is a byte too short is given up, which lets the daemon go on") {
    const Daemon daemon(16'112);
    int error = 0;
    try {
      (void)hostbrick::ask_abstract(daemon.name(), std::string(16'111, 'x'), 50ms);
    } catch (const hostbrick::SystemError& failure) {
      error = failure.error();
    }
    CHECK(error == EAGAIN);
  }
}
