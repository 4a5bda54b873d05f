#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dm/targets.h"

namespace hostbrick {

/**
 * Device-mapper devices, by their own names, through /dev/mapper/control (include/uapi/linux/dm-ioctl.h). Nothing here
 * makes or changes a table: that is the business of the programs whose maps they are.
 * Throws SystemError: ENXIO when there is no such device, EBUSY when somebody has it open.
 */
struct MapState {
  std::string uuid;
  bool suspended = false;
  std::vector<MapTarget> table;
  std::vector<MapTarget> status;
};

/** What a device is and how it does. Does not flush it, so that one without a working path answers as well. */
MapState map_state(const std::string& name);

/** Lets a suspended device serve requests again. */
void resume_map(const std::string& name);

/** Says something to the device's first target, such as 'fail_if_no_path' to a multipath map. */
void message_map(const std::string& name, const std::string& message);

/** Removes the device; with `when_closed` as soon as nobody has it open any more. */
void remove_map(const std::string& name, bool when_closed);

}  // namespace hostbrick
