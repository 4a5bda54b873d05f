// Whatever bytes arrive, they are read as one connected controller or refused; and as a record of the kernel's log or
// not.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/system_error.h"
#include "nvme/fabrics.h"
#include "nvme/kernel_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto record = hostbrick::kernel_text(text); record && record->size() >= size) std::abort();
  try {
    const auto controller = hostbrick::parse_fabrics_reply(text);
    const auto digits = std::to_string(controller.instance) + std::to_string(controller.controller_id);
    if (digits.size() > size) std::abort();
  } catch (const hostbrick::SystemError&) {
    return 0;
  }
  return 0;
}
