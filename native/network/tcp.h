#pragma once

#include <netdb.h>

#include <memory>
#include <string>

#include "core/event.h"
#include "core/file_descriptor.h"

namespace hostbrick {

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using Address = std::unique_ptr<addrinfo, FreeAddresses>;

/** The address of a stream socket, of numbers only: nothing is looked up. Throws SystemError EINVAL for what is none.
 */
Address numeric_address(const std::string& address, const std::string& port);

/** Waits until poll(2) finds `events` on the socket. Throws SystemError ECANCELED when interrupted. */
void wait_for(const FileDescriptor& socket, short events, const Event& interrupt, const std::string& address);

/** Waits for the end of a connect(2) that does not block. Throws SystemError with its error, or ECANCELED when
 * interrupted. */
void wait_until_connected(const FileDescriptor& socket, const Event& interrupt, const std::string& address);

}  // namespace hostbrick
