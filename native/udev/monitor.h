#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

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

/** Which uevents somebody wants to hear of: those that contain one of some texts. At first none. */
class UeventInterest {
 public:
  void set(std::vector<std::string> texts);
  [[nodiscard]] bool wants(std::string_view event);

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

FileDescriptor open_uevent_socket(UeventGroup group);

/**
 * Messages of other senders than the group's rightful one are dropped, the kernel has port 0 and both have uid 0, and
 * so are those that nobody wants to hear of: most of what happens to a host is not worth waking the event loop.
 */
class UeventMonitor : public NetlinkMonitor<std::string> {
 public:
  /** `socket` must have SO_PASSCRED. */
  UeventMonitor(FileDescriptor socket, UeventGroup group, std::shared_ptr<UeventInterest> interest, Receiver receive);
};

}  // namespace hostbrick
