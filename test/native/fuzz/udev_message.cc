// Whatever bytes arrive, the properties lie within them and end with NUL, and a device's name is none of a file
// elsewhere.

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "udev/look.h"
#include "udev/message.h"

namespace {

void check(std::span<const std::byte> message, std::optional<std::string_view> properties) {
  if (!properties) return;
  const auto* const begin = reinterpret_cast<const char*>(message.data());
  const bool within = properties->data() >= begin && properties->size() <= message.size() &&
                      properties->data() + properties->size() <= begin + message.size();
  if (!within || properties->empty() || properties->back() != '\0') std::abort();
  for (const auto& name : hostbrick::block_devices_of({std::string(*properties)})) {
    if (name.find('/') != std::string::npos) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = std::as_bytes(std::span(data, size));
  check(message, hostbrick::kernel_properties(message));
  check(message, hostbrick::udev_properties(message));
  return 0;
}
