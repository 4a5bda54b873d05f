#include "network/probe.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/file_descriptor.h"
#include "core/system_error.h"
#include "network/tcp.h"

namespace hostbrick {

namespace {

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
  const auto source = numeric_address(place.source, "0");
  if (::bind(socket.get(), source->ai_addr, source->ai_addrlen) < 0) throw SystemError(errno, "bind", place.source);
}

}  // namespace

void probe_port(const ProbedPort& place, const Event& interrupt) {
  const auto target = numeric_address(place.address, std::to_string(place.port));
  const FileDescriptor socket(::socket(target->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) throw SystemError(errno, "socket", place.address);
  make_unseen(socket);
  begin_at(socket, place);
  if (::connect(socket.get(), target->ai_addr, target->ai_addrlen) == 0) return;
  if (errno != EINPROGRESS) throw SystemError(errno, "connect", place.address);
  wait_until_connected(socket, interrupt, place.address);
}

}  // namespace hostbrick
