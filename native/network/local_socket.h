#pragma once

#include <string>

#include "core/file_descriptor.h"

namespace hostbrick {

/**
 * Connects to the stream socket of this name in the abstract namespace (unix(7)). The address is exactly as long as the
 * name, which is what daemons in C bind, and not what every runtime's own sockets use. ECONNREFUSED when nobody
 * listens.
 */
FileDescriptor connect_abstract(const std::string& name);

}  // namespace hostbrick
