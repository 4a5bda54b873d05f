#include "network/tcp.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "core/system_error.h"

namespace hostbrick {

Address numeric_address(const std::string& address, const std::string& port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(address.c_str(), port.c_str(), &hints, &list) != 0) throw SystemError(EINVAL, "connect", address);
  return Address(list);
}

void wait_for(const FileDescriptor& socket, short events, const Event& interrupt, const std::string& address) {
  std::array<pollfd, 2> waited{pollfd{socket.get(), events, 0}, pollfd{interrupt.descriptor(), POLLIN, 0}};
  while (::poll(waited.data(), waited.size(), -1) < 0) {
    if (errno != EINTR) throw SystemError(errno, "poll", address);
  }
  if (waited[0].revents == 0) throw SystemError(ECANCELED, "poll", address);
}

void wait_until_connected(const FileDescriptor& socket, const Event& interrupt, const std::string& address) {
  wait_for(socket, POLLOUT, interrupt, address);
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
  if (error != 0) throw SystemError(error, "connect", address);
}

}  // namespace hostbrick
