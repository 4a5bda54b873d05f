#pragma once

#include <cstdint>
#include <string>

#include "core/event.h"

namespace hostbrick {

/** A TCP port, and where on this host the way there begins: both empty for the kernel to choose. */
struct ProbedPort {
  std::string address;  ///< IPv4, or IPv6 with or without a zone
  std::uint16_t port;
  std::string source;     ///< an address of this host
  std::string interface;  ///< a network interface of this host
};

/**
 * Returns when somebody listens at the port, as its SYN-ACK says. The connection is reset instead of acknowledged, so
 * that whoever listens never gets to see it: a target begins no session, and logs nothing. (Should the acknowledgement
 * have gone out all the same, it sees one that is gone at once.) Throws SystemError: ECONNREFUSED, EHOSTUNREACH,
 * ETIMEDOUT and so on of connect(2), EADDRNOTAVAIL and ENODEV for what this host does not have, EINVAL for what is no
 * address, ECANCELED when interrupted.
 */
void probe_port(const ProbedPort& place, const Event& interrupt);

}  // namespace hostbrick
