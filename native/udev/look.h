#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sysfs/walk.h"

namespace hostbrick {

/** What a walk has read of some block devices, as sysfs/walk.h describes: nothing of those that are not there. */
struct DeviceLook {
  std::vector<std::string> names;
  std::string bytes;
};

/** The names of the block devices that uevents are about, each once. */
std::vector<std::string> block_devices_of(const std::vector<std::string>& events);

/**
 * What is asked of these devices. The last folder of `plan` is that of the devices. Nothing when sysfs cannot be read:
 * who looks then, without an event, gets the error.
 */
std::optional<DeviceLook> look_at_devices(std::vector<std::string> names, std::vector<WalkFolder> plan);

}  // namespace hostbrick
