#include "network/addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <memory>

#include "core/system_error.h"

namespace hostbrick {

namespace {

struct FreeInterfaces {
  void operator()(ifaddrs* list) const noexcept { ::freeifaddrs(list); }
};

const void* address_in(const sockaddr* address) {
  if (address == nullptr) return nullptr;
  if (address->sa_family == AF_INET) return &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
  if (address->sa_family == AF_INET6) return &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  return nullptr;
}

}  // namespace

std::vector<std::string> own_addresses() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) < 0) throw SystemError(errno, "getifaddrs", "");
  const std::unique_ptr<ifaddrs, FreeInterfaces> interfaces(list);

  std::vector<std::string> texts;
  for (const auto* interface = interfaces.get(); interface != nullptr; interface = interface->ifa_next) {
    const auto* const address = address_in(interface->ifa_addr);
    if (address == nullptr || (interface->ifa_flags & IFF_LOOPBACK) != 0) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (::inet_ntop(interface->ifa_addr->sa_family, address, text.data(), text.size()) != nullptr)
      texts.emplace_back(text.data());
  }
  return texts;
}

}  // namespace hostbrick
