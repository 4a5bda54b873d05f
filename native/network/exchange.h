#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/event.h"

namespace hostbrick {

/** Where somebody listens for streams. */
struct Listener {
  enum class Kind {
    abstract,  ///< a name in the abstract namespace, see connect_abstract()
    path,      ///< a local socket's
    port,      ///< of TCP, at a numeric address
  };
  Kind kind = Kind::abstract;
  std::string address;
  std::uint16_t port = 0;
};

/** How much of an answer is waited for. */
struct AnswerLength {
  std::size_t least = 0;
  /** Whether the answer begins with a size_t that says how many bytes follow it. */
  bool counted = false;
};

/**
 * Connects to the first of these who listens, sends one request, waits for the answer and closes the connection. What
 * comes with the answer is returned as well, if it was there already. Throws SystemError: as connect(2) fails, EACCES
 * for a local listener that is neither root's nor of this process's user, ECONNRESET when the connection ends before
 * the answer, EMSGSIZE for an answer that counts more than 32 MiB, ECANCELED when interrupted.
 */
std::string exchange(const std::vector<Listener>& listeners, const std::string& request, AnswerLength length,
                     const Event& interrupt);

/** Whether somebody listens at one of these local sockets, as is_path_listening() has it. */
bool is_listening(const std::vector<Listener>& listeners);

}  // namespace hostbrick
