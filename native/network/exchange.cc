#include "network/exchange.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>

#include "core/file_descriptor.h"
#include "core/system_error.h"
#include "network/local_socket.h"
#include "network/tcp.h"

namespace hostbrick {

namespace {

// multipathd's own client takes no more (libmpathcmd/mpath_cmd.c).
constexpr std::size_t longest_answer = std::size_t{32} << 20;

FileDescriptor connect_port(const Listener& listener, const Event& interrupt) {
  const auto target = numeric_address(listener.address, std::to_string(listener.port));
  FileDescriptor socket(::socket(target->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw SystemError(errno, "socket", listener.address);
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket.get(), target->ai_addr, target->ai_addrlen) == 0) return socket;
  if (errno != EINPROGRESS) throw SystemError(errno, "connect", listener.address);
  wait_until_connected(socket, interrupt, listener.address);
  return socket;
}

// A local listener whose queue is full tells nobody when there is room, and a socket that does not block would fail at
// once: so the kernel is left to wait for it, time and again, and between the times there may be an interrupt.
FileDescriptor connect_local(const Listener& listener, const Event& interrupt) {
  constexpr std::chrono::milliseconds patience{200};
  for (;;) {
    try {
      if (listener.kind == Listener::Kind::path) return connect_path(listener.address, patience);
      return connect_abstract(listener.address, patience);
    } catch (const SystemError& failure) {
      if (failure.error() != EAGAIN) throw;
    }
    if (interrupt.is_set()) throw SystemError(ECANCELED, "connect", listener.address);
  }
}

FileDescriptor connect_to(const Listener& listener, const Event& interrupt) {
  if (listener.kind == Listener::Kind::port) return connect_port(listener, interrupt);
  auto socket = connect_local(listener, interrupt);
  if (::fcntl(socket.get(), F_SETFL, O_NONBLOCK) < 0) throw SystemError(errno, "fcntl", listener.address);
  return socket;
}

/** The two directions of a connection. */
class Conversation {
 public:
  Conversation(const Listener& listener, const Event& interrupt)
      : address_(listener.address), interrupt_(interrupt), socket_(connect_to(listener, interrupt)) {}

  [[nodiscard]] const std::string& address() const { return address_; }

  void send(const std::string& request) const {
    for (std::size_t sent = 0; sent < request.size();) {
      const auto length = ::send(socket_.get(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (length >= 0) {
        sent += static_cast<std::size_t>(length);
      } else if (errno == EPIPE || errno == ECONNRESET) {
        return;  // It has heard enough; its answer tells.
      } else if (errno == EAGAIN) {
        wait_for(socket_, POLLOUT, interrupt_, address_);
      } else if (errno != EINTR) {
        throw SystemError(errno, "send", address_);
      }
    }
  }

  /** Adds what comes next. */
  void receive(std::string& answer) const {
    std::array<char, 4096> chunk;
    for (;;) {
      const auto length = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
      if (length > 0) {
        answer.append(chunk.data(), static_cast<std::size_t>(length));
        return;
      }
      if (length == 0) throw SystemError(ECONNRESET, "recv", address_);
      if (errno == EAGAIN) {
        wait_for(socket_, POLLIN, interrupt_, address_);
      } else if (errno != EINTR) {
        throw SystemError(errno, "recv", address_);
      }
    }
  }

 private:
  const std::string& address_;
  const Event& interrupt_;
  FileDescriptor socket_;
};

Conversation begin(const std::vector<Listener>& listeners, const Event& interrupt) {
  for (auto listener = listeners.begin();; ++listener) {
    try {
      return {*listener, interrupt};
    } catch (const SystemError& failure) {
      const auto nobody = failure.error() == ENOENT || failure.error() == ECONNREFUSED;
      if (!nobody || std::next(listener) == listeners.end()) throw;
    }
  }
}

}  // namespace

std::string exchange(const std::vector<Listener>& listeners, const std::string& request, AnswerLength length,
                     const Event& interrupt) {
  const auto conversation = begin(listeners, interrupt);
  conversation.send(request);
  std::string answer;
  std::size_t count = 0;
  auto needed = length.counted ? sizeof count : length.least;
  while (answer.size() < needed) {
    conversation.receive(answer);
    if (!length.counted || answer.size() < sizeof count) continue;
    std::memcpy(&count, answer.data(), sizeof count);
    if (count > longest_answer) throw SystemError(EMSGSIZE, "recv", conversation.address());
    needed = sizeof count + count;
  }
  return answer;
}

bool is_listening(const std::vector<Listener>& listeners) {
  return std::ranges::any_of(listeners, [](const Listener& listener) {
    if (listener.kind == Listener::Kind::path) return is_path_listening(listener.address);
    return is_abstract_listening(listener.address);
  });
}

}  // namespace hostbrick
