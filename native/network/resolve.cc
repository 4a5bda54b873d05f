#include "network/resolve.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "core/system_error.h"
#include "network/tcp.h"

namespace hostbrick {

std::vector<std::string> resolve_host(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const auto failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  const Address addresses(list);
  if (failure == EAI_SYSTEM) throw SystemError(errno, "getaddrinfo", host);
  if (failure != 0)
    throw SystemError(failure == EAI_NONAME ? ENOENT : EAGAIN, "getaddrinfo", host, ::gai_strerror(failure));

  std::vector<std::string> texts;
  for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    const auto unnamed =
        ::getnameinfo(address->ai_addr, address->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
    if (unnamed == 0) texts.emplace_back(text.data());
  }
  return texts;
}

}  // namespace hostbrick
