#include "network/probe.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>

#include "core/file_descriptor.h"
#include "core/system_error.h"

namespace hostbrick {

namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using Address = std::unique_ptr<addrinfo, FreeAddresses>;

// Of numbers only: nothing is looked up.
Address parse(const std::string& address, const std::string& port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(address.c_str(), port.c_str(), &hints, &list) != 0) throw SystemError(EINVAL, "connect", address);
  return Address(list);
}

void set_option(const FileDescriptor& socket, int level, int option, const void* value, socklen_t length) {
  if (::setsockopt(socket.get(), level, option, value, length) < 0) throw SystemError(errno, "setsockopt");
}

// tcp_rcv_synsent_state_process() in net/ipv4/tcp_input.c holds back the acknowledgement of the SYN-ACK for a socket
// without TCP_QUICKACK, as data may follow; closing a socket that does not linger sends a reset.
void make_unseen(const FileDescriptor& socket) {
  const int off = 0;
  const linger reset{.l_onoff = 1, .l_linger = 0};
  set_option(socket, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
  set_option(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void begin_at(const FileDescriptor& socket, const ProbedPort& place) {
  if (!place.interface.empty()) {
    set_option(socket, SOL_SOCKET, SO_BINDTODEVICE, place.interface.c_str(),
               static_cast<socklen_t>(place.interface.size()));
  }
  if (place.source.empty()) return;
  const auto source = parse(place.source, "0");
  if (::bind(socket.get(), source->ai_addr, source->ai_addrlen) < 0) throw SystemError(errno, "bind", place.source);
}

void wait_until_connected(const FileDescriptor& socket, const Event& interrupt, const std::string& address) {
  std::array<pollfd, 2> waited{pollfd{socket.get(), POLLOUT, 0}, pollfd{interrupt.descriptor(), POLLIN, 0}};
  while (::poll(waited.data(), waited.size(), -1) < 0) {
    if (errno != EINTR) throw SystemError(errno, "poll", address);
  }
  if (waited[0].revents == 0) throw SystemError(ECANCELED, "connect", address);
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
  if (error != 0) throw SystemError(error, "connect", address);
}

}  // namespace

void probe_port(const ProbedPort& place, const Event& interrupt) {
  const auto target = parse(place.address, std::to_string(place.port));
  const FileDescriptor socket(::socket(target->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw SystemError(errno, "socket", place.address);
  make_unseen(socket);
  begin_at(socket, place);
  if (::connect(socket.get(), target->ai_addr, target->ai_addrlen) == 0) return;
  if (errno != EINPROGRESS) throw SystemError(errno, "connect", place.address);
  wait_until_connected(socket, interrupt, place.address);
}

}  // namespace hostbrick
