#include "udev/look.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/system_error.h"

namespace hostbrick {

namespace {

std::optional<std::string_view> property(std::string_view properties, std::string_view key) {
  while (!properties.empty()) {
    const auto word = properties.substr(0, properties.find('\0'));
    if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=')
      return word.substr(key.size() + 1);
    properties.remove_prefix(std::min(word.size() + 1, properties.size()));
  }
  return std::nullopt;
}

// In class/block as well the last part of its path is its name, in which the kernel has '!' for a slash.
std::optional<std::string_view> block_device_of(std::string_view properties) {
  if (property(properties, "SUBSYSTEM") != "block") return std::nullopt;
  const auto path = property(properties, "DEVPATH");
  return path ? std::optional(path->substr(path->rfind('/') + 1)) : std::nullopt;
}

}  // namespace

std::vector<std::string> block_devices_of(const std::vector<std::string>& events) {
  std::vector<std::string> names;
  for (const auto& event : events) {
    const auto name = block_device_of(event);
    if (name && std::ranges::find(names, *name) == names.end()) names.emplace_back(*name);
  }
  return names;
}

std::optional<DeviceLook> look_at_devices(std::vector<std::string> names, std::vector<WalkFolder> plan) {
  if (plan.empty()) return std::nullopt;
  plan.back().entries = names;
  try {
    return DeviceLook{std::move(names), std::string(walk("/sys", plan).from(0))};
  } catch (const SystemError&) {
    return std::nullopt;
  }
}

}  // namespace hostbrick
