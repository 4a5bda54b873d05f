#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "core/file_descriptor.h"
#include "core/system_error.h"

namespace hostbrick {

/** Wakes a thread that polls: once set, its descriptor stays readable. */
class Event {
 public:
  Event() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!descriptor_) throw SystemError(errno, "eventfd");
  }

  void set() noexcept { ::eventfd_write(descriptor_.get(), 1); }
  [[nodiscard]] bool is_set() const noexcept {
    pollfd polled{descriptor_.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) > 0;
  }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

 private:
  FileDescriptor descriptor_;
};

}  // namespace hostbrick
