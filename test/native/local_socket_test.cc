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

#include "core/system_error.h"

using namespace std::chrono_literals;

namespace {

// Answers one client as iscsid does: reads exactly so many bytes, says "yes" and closes the connection.
class Daemon {
 public:
  explicit Daemon(std::size_t length) : name_("hostbrick-native-test-" + std::to_string(::getpid())) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name_.copy(address.sun_path + 1, name_.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
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

}  // namespace

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
