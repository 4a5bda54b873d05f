#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_descriptor.h"

namespace hostbrick {

/**
 * What the kernel writes to its log from now on (/dev/kmsg; Documentation/ABI/testing/dev-kmsg). Where this process may
 * not read it, nothing: whoever asks wants a word on an error that is known already.
 */
class KernelLog {
 public:
  KernelLog();

  /** The texts that have come since, without those of programs; a few hundred at most. */
  std::vector<std::string> read();

 private:
  FileDescriptor file_;
};

/** The text of a record such as '3,812,90817,-;nvme nvme0: Connect rejected'; nothing when it is a program's or no
 * record. */
std::optional<std::string> kernel_text(std::string_view record);

}  // namespace hostbrick
