#pragma once

#include <string>
#include <vector>

namespace hostbrick {

/** The addresses of `host` as text, in the system's order of preference (getaddrinfo(3)). Blocks for DNS. */
std::vector<std::string> resolve_host(const std::string& host);

}  // namespace hostbrick
