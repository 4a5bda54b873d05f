#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hostbrick {

/** One stretch of a device-mapper device, as a table or status query tells it. */
struct MapTarget {
  std::string type;        ///< 'multipath', 'linear', 'crypt' and so on
  std::string parameters;  ///< what this type says of itself: see the kernel's Documentation/admin-guide/device-mapper
};

/**
 * Reads the answer to DM_TABLE_STATUS: `count` times a struct dm_target_spec with a text behind it
 * (include/uapi/linux/dm-ioctl.h). EBADMSG when it is cut short or leads outside itself.
 */
std::vector<MapTarget> parse_map_targets(std::span<const std::uint8_t> answer, std::uint32_t count);

}  // namespace hostbrick
