#include "network/probe.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <future>
#include <vector>

#include "support.h"

namespace hostbrick::test {

namespace {

// Listens at a port of its own on 127.0.0.1.
class Listener {
 public:
  explicit Listener(int backlog) {
    auto address = at(0);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(socket_.get(), backlog) == 0);
    socklen_t length = sizeof address;
    REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port_ = ntohs(address.sin_port);
  }

  // Connections that nobody accepts, until further ones get no answer.
  void fill() {
    for (int count = 0; count < 4; ++count) {
      const auto address = at(port_);
      auto& client = clients_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
  }

  [[nodiscard]] bool was_disturbed() const { return ::accept(socket_.get(), nullptr, nullptr) >= 0; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  static sockaddr_in at(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  FileDescriptor socket_{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  std::uint16_t port_ = 0;
  std::vector<FileDescriptor> clients_;
};

int error_of(const ProbedPort& place) {
  const Event never;
  return failure_of([&] { probe_port(place, never); }).error();
}

TEST_SUITE_BEGIN("probe");

TEST_CASE("who listens does not get to see it") {
  const Listener listener(8);
  for (int round = 0; round < 20; ++round) CHECK(error_of({"127.0.0.1", listener.port(), "", ""}) == 0);
  CHECK_FALSE(listener.was_disturbed());
}

TEST_CASE("it begins where it is to") {
  const Listener listener(8);
  CHECK(error_of({"127.0.0.1", listener.port(), "127.0.0.9", ""}) == 0);
  CHECK(error_of({"127.0.0.1", listener.port(), "192.0.2.1", ""}) == EADDRNOTAVAIL);
  CHECK(error_of({"127.0.0.1", listener.port(), "", "no-such-0"}) == (is_root() ? ENODEV : EPERM));
}

TEST_CASE("nobody listens") {
  std::uint16_t port = 0;
  {
    port = Listener(1).port();
  }
  CHECK(error_of({"127.0.0.1", port, "", ""}) == ECONNREFUSED);
}

TEST_CASE("only numbers are taken") {
  CHECK(error_of({"localhost", 1, "", ""}) == EINVAL);
  CHECK(error_of({"", 1, "", ""}) == EINVAL);
  CHECK(error_of({"127.0.0.1", 1, "localhost", ""}) == EINVAL);
}

TEST_CASE("waiting for a port that does not answer can be interrupted") {
  Listener listener(0);
  listener.fill();
  Event interrupt;
  auto probe = std::async(std::launch::async, [&] {
    return failure_of([&] { probe_port({"127.0.0.1", listener.port(), "", ""}, interrupt); }).error();
  });
  CHECK(probe.wait_for(std::chrono::milliseconds(100)) == std::future_status::timeout);
  interrupt.set();
  REQUIRE(probe.wait_for(deadline) == std::future_status::ready);
  CHECK(probe.get() == ECANCELED);
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
