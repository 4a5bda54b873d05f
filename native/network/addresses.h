#pragma once

#include <string>
#include <vector>

namespace hostbrick {

/** The IPv4 and IPv6 addresses of this host's interfaces but the loopback ones, without zones (getifaddrs(3)). */
std::vector<std::string> own_addresses();

}  // namespace hostbrick
