#include "network/exchange.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/file_descriptor.h"
#include "network/local_socket.h"
#include "support.h"

using namespace std::chrono_literals;
using hostbrick::AnswerLength;
using hostbrick::Event;
using hostbrick::FileDescriptor;
using hostbrick::Listener;
using hostbrick::test::failure_of;
using hostbrick::test::TemporaryFolder;

namespace {

constexpr AnswerLength counted{0, true};

// Takes one client, reads a request of four bytes and says these things, with a moment between them.
class Peer {
 public:
  Peer(FileDescriptor listener, std::vector<std::string> words, bool stays = false)
      : listener_(std::move(listener)), thread_([this, words = std::move(words), stays] {
          const FileDescriptor client(::accept(listener_.get(), nullptr, nullptr));
          std::array<char, 4> request;
          if (::recv(client.get(), request.data(), request.size(), MSG_WAITALL) != 4) return;
          for (const auto& word : words) {
            (void)::send(client.get(), word.data(), word.size(), MSG_NOSIGNAL);
            std::this_thread::sleep_for(5ms);
          }
          // Until the other side hangs up.
          if (stays) (void)::recv(client.get(), request.data(), 1, 0);
        }) {}
  ~Peer() { thread_.join(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

 private:
  FileDescriptor listener_;
  std::thread thread_;
};

FileDescriptor listen_at(const std::string& path) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(socket.get(), 1) == 0);
  return socket;
}

std::pair<FileDescriptor, std::uint16_t> listen_at_port() {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(socket.get(), 1) == 0);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
  return {std::move(socket), ntohs(address.sin_port)};
}

Listener at_path(const std::string& path) { return {Listener::Kind::path, path, 0}; }

std::string count_of(std::size_t count) {
  std::string bytes(sizeof count, '\0');
  std::memcpy(bytes.data(), &count, sizeof count);
  return bytes;
}

// What a peer at a path that says these things is understood to say.
std::string heard(std::vector<std::string> words, AnswerLength length) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "socket";
  const Peer peer(listen_at(path), std::move(words));
  return hostbrick::exchange({at_path(path)}, "ask!", length, Event());
}

// How an exchange fails that is interrupted while it waits.
hostbrick::SystemError interrupted(const Listener& listener) {
  Event interrupt;
  std::thread impatient([&] {
    std::this_thread::sleep_for(10ms);
    interrupt.set();
  });
  const auto failure = failure_of([&] { (void)hostbrick::exchange({listener}, "ask!", {1, false}, interrupt); });
  impatient.join();
  return failure;
}

}  // namespace

TEST_SUITE_BEGIN("exchange");

TEST_CASE("waits for as many bytes as it is told to") {
  CHECK(heard({"yes"}, {3, false}) == "yes");
  CHECK(heard({"y", "e", "s"}, {3, false}) == "yes");
  CHECK(heard({"yes and more"}, {3, false}) == "yes and more");
}

TEST_CASE("waits for as many bytes as the answer counts") {
  CHECK(heard({count_of(2) + "ok"}, counted) == count_of(2) + "ok");
  CHECK(heard({count_of(2), "o", "k"}, counted) == count_of(2) + "ok");
  CHECK(heard({count_of(2).substr(0, 3), count_of(2).substr(3) + "o", "k"}, counted) == count_of(2) + "ok");
  CHECK(heard({count_of(0)}, counted) == count_of(0));
  const std::string large(100'000, 'x');
  CHECK(heard({count_of(large.size()) + large}, counted) == count_of(large.size()) + large);
}

TEST_CASE("refuses an answer that is cut off, or counts too much") {
  CHECK(failure_of([] { (void)heard({"ye"}, {3, false}); }).error() == ECONNRESET);
  CHECK(failure_of([] { (void)heard({count_of(3) + "ye"}, counted); }).error() == ECONNRESET);
  CHECK(failure_of([] { (void)heard({count_of((std::size_t{32} << 20) + 1)}, counted); }).error() == EMSGSIZE);
}

TEST_CASE("is known to have somebody to talk to, however busy he is") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "socket";
  const Listener nobody{Listener::Kind::abstract, "hostbrick-native-test-nobody", 0};
  CHECK_FALSE(hostbrick::is_listening({at_path(path), nobody}));
  auto listener = listen_at(path);
  CHECK(hostbrick::is_listening({at_path(path), nobody}));
  CHECK(hostbrick::is_listening({nobody, at_path(path)}));
  // Nobody takes the connections that wait, and then there is no room for another one.
  for (int i = 0; i < 4; ++i) CHECK(hostbrick::is_listening({at_path(path)}));
  listener.close();
  CHECK_FALSE(hostbrick::is_listening({nobody, at_path(path)}));
}

TEST_CASE("asks the first who listens") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "socket";
  const Listener nobody{Listener::Kind::abstract, "hostbrick-native-test-nobody", 0};
  CHECK(failure_of([&] { (void)hostbrick::exchange({at_path(path), nobody}, "ask!", {3, false}, Event()); }).error() ==
        ECONNREFUSED);
  const Peer peer(listen_at(path), {"yes"});
  CHECK(hostbrick::exchange({nobody, at_path(path)}, "ask!", {3, false}, Event()) == "yes");
}

TEST_CASE("speaks TCP, too") {
  auto [socket, port] = listen_at_port();
  const Listener listener{Listener::Kind::port, "127.0.0.1", port};
  {
    const Peer peer(std::move(socket), {"yes"});
    CHECK(hostbrick::exchange({listener}, "ask!", {3, false}, Event()) == "yes");
  }
  CHECK(failure_of([&] { (void)hostbrick::exchange({listener}, "ask!", {3, false}, Event()); }).error() ==
        ECONNREFUSED);
  CHECK(failure_of([&] {
          (void)hostbrick::exchange({{Listener::Kind::port, "no address", port}}, "ask!", {3, false}, Event());
        }).error() == EINVAL);
}

TEST_CASE("ends when it is interrupted") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "socket";
  const Peer peer(listen_at(path), {}, true);
  CHECK(interrupted(at_path(path)).error() == ECANCELED);
}

TEST_CASE("waits for a listener whose queue is full, until there is room or it is interrupted") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "socket";
  auto listener = listen_at(path);
  std::vector<FileDescriptor> waiting;
  while (failure_of([&] { waiting.push_back(hostbrick::connect_path(path, 1ms)); }).error() == 0) {
  }
  CHECK(interrupted(at_path(path)).error() == ECANCELED);

  // Longer than the kernel is left to wait at a time.
  std::thread late([&] {
    std::this_thread::sleep_for(250ms);
    for (auto left = waiting.size(); left > 0; --left) {
      FileDescriptor(::accept(listener.get(), nullptr, nullptr)).close();
    }
    const Peer peer(std::move(listener), {"yes"});
  });
  CHECK(hostbrick::exchange({at_path(path)}, "ask!", {3, false}, Event()) == "yes");
  late.join();
}

TEST_SUITE_END();
