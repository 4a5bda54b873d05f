#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/file_descriptor.h"
#include "netlink/monitor.h"
#include "sysfs/walk.h"
#include "udev/look.h"

namespace hostbrick {

/** Who speaks on a uevent socket. */
enum class UeventGroup : unsigned {
  kernel = 1,  ///< the kernel itself, at the moment of the change
  udev = 2,    ///< udevd, when its rules have run, its database is written and the links exist
};

/** Uevents as the texts that udev/message.h describes, and what was seen of their devices, if that was asked for. */
struct UeventBatch : NetlinkBatch<std::string> {
  std::optional<DeviceLook> look;
};

/** What somebody wants of a monitor. At first nothing. */
class UeventInterest {
 public:
  /** Those uevents that contain one of these texts. */
  void set(std::vector<std::string> texts);
  [[nodiscard]] bool wants(std::string_view event);

  /**
   * A look at the block devices that come next, by what is asked of them: once. Who hears of a change and then reads
   * what has changed wakes two threads more in between.
   */
  void look_at_next(std::vector<WalkFolder> plan);
  /** Nothing unless that was asked for, and is still to come. */
  [[nodiscard]] std::optional<DeviceLook> look(const std::vector<std::string>& events);

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
  std::optional<std::vector<WalkFolder>> plan_;
};

FileDescriptor open_uevent_socket(UeventGroup group);

/**
 * Messages of other senders than the group's rightful one are dropped, the kernel has port 0 and both have uid 0, and
 * so are those that nobody wants to hear of: most of what happens to a host is not worth waking the event loop.
 */
class UeventMonitor : public NetlinkMonitor<UeventBatch> {
 public:
  /** `socket` must have SO_PASSCRED. */
  UeventMonitor(FileDescriptor socket, UeventGroup group, const std::shared_ptr<UeventInterest>& interest,
                Receiver receive);
};

}  // namespace hostbrick
