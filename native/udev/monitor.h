#pragma once

#include <string>

#include "core/file_descriptor.h"
#include "netlink/monitor.h"

namespace hostbrick {

/** Who speaks on a uevent socket. */
enum class UeventGroup : unsigned {
  kernel = 1,  ///< the kernel itself, at the moment of the change
  udev = 2,    ///< udevd, when its rules have run, its database is written and the links exist
};

/** Uevents as the texts that udev/message.h describes. */
using UeventBatch = NetlinkBatch<std::string>;

FileDescriptor open_uevent_socket(UeventGroup group);

/**
 * Messages of other senders than the group's rightful one are dropped: the kernel has port 0 and both have uid 0.
 */
class UeventMonitor : public NetlinkMonitor<std::string> {
 public:
  /** `socket` must have SO_PASSCRED. */
  UeventMonitor(FileDescriptor socket, UeventGroup group, Receiver receive);
};

}  // namespace hostbrick
