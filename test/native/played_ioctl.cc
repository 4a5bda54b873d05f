#include "played_ioctl.h"

#include <cerrno>

namespace hostbrick::test {

std::function<int(unsigned long request, void* argument)> played_ioctl;

}  // namespace hostbrick::test

// The linker sends the core's calls of ioctl here (--wrap).
extern "C" int __real_ioctl(int file, unsigned long request, void* argument);
extern "C" int __wrap_ioctl(int file, unsigned long request, void* argument);
extern "C" int __wrap_ioctl(int file, unsigned long request, void* argument) {
  if (!hostbrick::test::played_ioctl) return __real_ioctl(file, request, argument);
  const auto result = hostbrick::test::played_ioctl(request, argument);
  if (result >= 0) return result;
  errno = -result;
  return -1;
}
