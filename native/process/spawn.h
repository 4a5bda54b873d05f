#pragma once

#include <string>
#include <vector>

#include "core/event.h"

namespace hostbrick {

struct Program {
  std::vector<std::string> arguments;    ///< the first is looked up in the environment's PATH
  std::vector<std::string> environment;  ///< NAME=value, all of it
  std::string input;                     ///< for its standard input; the place for secrets
};

struct Ending {
  int code;            ///< exit status, -1 when a signal ended it
  int signal;          ///< 0 when it exited
  std::string output;  ///< standard output, at most 1 MiB of it
  std::string error;   ///< standard error, at most 1 MiB of it
};

/**
 * Runs a program in a process group of its own and waits for its end; no shell is involved.
 * When `interrupt` is set the whole group is killed. Throws SystemError when it cannot be started, and ECHILD when
 * nobody can say how it ended.
 */
Ending run_program(const Program& program, const Event& interrupt);

}  // namespace hostbrick
