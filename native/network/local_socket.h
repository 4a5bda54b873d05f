#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/file_descriptor.h"

namespace hostbrick {

/**
 * Connects to the stream socket of this name in the abstract namespace (unix(7)). The address is exactly as long as the
 * name, which is what daemons in C bind, and not what every runtime's own sockets use. ECONNREFUSED when nobody
 * listens. Anyone may take a name that is free: EACCES when the listener is neither root's nor of this process's user.
 * EAGAIN when its queue has had no room for `patience`, which also is how long a send(2) on the socket waits.
 */
FileDescriptor connect_abstract(const std::string& name, std::chrono::milliseconds patience);

/** As above, to the socket at a path. ENOENT or ECONNREFUSED when nobody listens. */
FileDescriptor connect_path(const std::string& path, std::chrono::milliseconds patience);

/**
 * Whether somebody listens there, known on the spot: false only when nobody does. That somebody may still be the wrong
 * one, too busy, or out of this process's reach; a conversation would tell.
 */
bool is_abstract_listening(const std::string& name);
bool is_path_listening(const std::string& path);

/** What a daemon said to one request before it closed the connection. */
struct Answer {
  std::vector<std::uint8_t> bytes;
  /** The process that wrote it, which is not always the one that listens (systemd does, for daemons it starts). */
  int pid = 0;
  /** Whether the daemon had read the request to its end when it closed the connection. */
  bool consumed = false;
};

/** Connects to an abstract name, sends one request and reads the answer. EAGAIN when a step of it takes longer than
 * `timeout`. */
Answer ask_abstract(const std::string& name, const std::string& request, std::chrono::milliseconds timeout);

}  // namespace hostbrick
