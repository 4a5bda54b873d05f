#include "netlink/monitor.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/system_error.h"

namespace hostbrick {

namespace {

constexpr int receive_buffer = 32 << 20;

// Who sent the datagram, as the kernel testifies (SO_PASSCRED).
std::optional<uid_t> sender_uid(msghdr& header) {
  for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS) continue;
    ucred credentials{};
    std::memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
    return credentials.uid;
  }
  return std::nullopt;
}

}  // namespace

FileDescriptor open_netlink_socket(int protocol, unsigned group, const char* name) {
  FileDescriptor socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!socket) throw SystemError(errno, "socket", name);
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) throw SystemError(errno, "SO_PASSCRED");
  // With CAP_NET_ADMIN the size is ours to choose, without it the system's limit holds.
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) < 0) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = group;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    throw SystemError(errno, "bind", name);
  }
  return socket;
}

Reading read_datagram(int socket, std::span<std::byte> buffer, Datagram& datagram) {
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(ucred))> control;
  iovec part{buffer.data(), buffer.size()};
  sockaddr_nl sender{};
  msghdr header{};
  header.msg_name = &sender;
  header.msg_namelen = sizeof sender;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();

  ssize_t size = 0;
  do size = ::recvmsg(socket, &header, 0);
  while (size < 0 && errno == EINTR);
  if (size < 0) {
    if (errno == EAGAIN) return Reading::empty;
    return errno == ENOBUFS ? Reading::lost : Reading::over;
  }
  datagram.bytes = buffer.first(static_cast<std::size_t>(size));
  datagram.cut = (header.msg_flags & MSG_TRUNC) != 0;
  datagram.port = sender.nl_pid;
  datagram.user = sender_uid(header);
  return Reading::message;
}

bool wait_readable(int socket, const Event& stop) {
  std::array<pollfd, 2> polled{{{socket, POLLIN, 0}, {stop.descriptor(), POLLIN, 0}}};
  while (::poll(polled.data(), polled.size(), -1) < 0) {
  }
  return polled[1].revents == 0;
}

void name_thread(const char* name) { ::prctl(PR_SET_NAME, name); }

}  // namespace hostbrick
