#pragma once

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
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

 private:
  FileDescriptor descriptor_;
};

}  // namespace hostbrick
