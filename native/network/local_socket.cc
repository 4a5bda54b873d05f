#include "network/local_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>

#include "core/system_error.h"

namespace hostbrick {

FileDescriptor connect_abstract(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) throw SystemError(ENAMETOOLONG, "connect", "@" + name);
  name.copy(address.sun_path + 1, name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());

  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError(errno, "socket", "@" + name);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) < 0) {
    throw SystemError(errno, "connect", "@" + name);
  }
  return socket;
}

}  // namespace hostbrick
