#include "dm/targets.h"

#include <linux/dm-ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/system_error.h"

namespace hostbrick {

namespace {

SystemError malformed() { return {EBADMSG, "DM_TABLE_STATUS"}; }

std::string text_in(std::span<const std::uint8_t> bytes) {
  const auto end = std::ranges::find(bytes, std::uint8_t{0});
  if (end == bytes.end()) throw malformed();
  return {bytes.begin(), end};
}

}  // namespace

std::vector<MapTarget> parse_map_targets(std::span<const std::uint8_t> answer, std::uint32_t count) {
  std::vector<MapTarget> targets;
  std::size_t offset = 0;
  for (std::uint32_t index = 0; index < count; ++index) {
    if (offset > answer.size() || answer.size() - offset < sizeof(dm_target_spec)) throw malformed();
    dm_target_spec spec{};
    std::memcpy(&spec, answer.data() + offset, sizeof spec);
    const auto* type = reinterpret_cast<const std::uint8_t*>(&spec.target_type[0]);
    auto parameters = text_in(answer.subspan(offset + sizeof spec));
    const auto end = offset + sizeof spec + parameters.size() + 1;
    targets.push_back({text_in({type, sizeof spec.target_type}), std::move(parameters)});
    if (index + 1 == count) break;
    // From the beginning of the first, not from this one, and never back: a wrong count comes to an end as well.
    offset = spec.next;
    if (offset < end) throw malformed();
  }
  return targets;
}

}  // namespace hostbrick
