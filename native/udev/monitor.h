#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/event.h"
#include "core/file_descriptor.h"

namespace hostbrick {

/** Who speaks on a uevent socket. */
enum class UeventGroup : unsigned {
  kernel = 1,  ///< the kernel itself, at the moment of the change
  udev = 2,    ///< udevd, when its rules have run, its database is written and the links exist
};

/** Uevents in the order they came, as the texts that udev/message.h describes. */
struct UeventBatch {
  std::vector<std::string> events;
  bool lost = false;  ///< the socket overflowed: the receiver must look at everything again
};

/** A bound socket, with a receive buffer for bursts of many thousand events where the process may have one. */
FileDescriptor open_uevent_socket(UeventGroup group);

/**
 * Listens on a thread of its own. Messages of other senders than the group's rightful one are dropped:
 * the kernel has port 0 and both have uid 0.
 */
class UeventMonitor {
 public:
  using Receiver = std::function<void(UeventBatch)>;

  /** `receive` is called on the monitor's thread. Takes any datagram socket with SO_PASSCRED, which is how it is
   * tested. */
  UeventMonitor(FileDescriptor socket, UeventGroup group, Receiver receive);
  ~UeventMonitor();
  UeventMonitor(const UeventMonitor&) = delete;
  UeventMonitor& operator=(const UeventMonitor&) = delete;

 private:
  void run();
  bool read_batch(UeventBatch& batch) const;

  FileDescriptor socket_;
  UeventGroup group_;
  Receiver receive_;
  Event stop_;
  std::thread thread_;
};

}  // namespace hostbrick
