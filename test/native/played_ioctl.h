#pragma once

#include <functional>

namespace hostbrick::test {

/** What answers the core's ioctls while a test plays the device; else the kernel does. Below 0 it is -errno. */
extern std::function<int(unsigned long request, void* argument)> played_ioctl;

}  // namespace hostbrick::test
