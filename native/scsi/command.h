#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/bytes.h"

namespace hostbrick {

// SCSI commands that only ask, sent by SG_IO (sd(4), include/scsi/sg.h). Each returns the device's answer as it came,
// cut to what was transferred. `timeout` is the kernel's own for the command, after which error recovery starts, which
// can take longer. Throws SystemError: EIO with status and sense in `detail` when the device refuses.

/** INQUIRY with EVPD: one vital product data page (SPC-5 6.6.3), such as 0x80 or 0x83. */
Bytes inquire_page(const std::string& device, std::uint8_t page, std::chrono::milliseconds timeout);

/** INQUIRY: the standard data (SPC-5 6.6.2). */
Bytes inquire(const std::string& device, std::chrono::milliseconds timeout);

/** What a unit says of itself; nothing where it refuses the question as one that it does not know (sense key 5h). */
struct Identification {
  std::optional<Bytes> standard;
  std::optional<Bytes> page83;
  std::optional<Bytes> page80;
};

/** The three INQUIRYs, one after the other, of a device that is opened once. */
Identification identify(const std::string& device, std::chrono::milliseconds timeout);

/**
 * Page 0x83 alone, if the kernel sends the device commands, as its attribute `state` in sysfs says: who asks one that
 * its transport has lost waits until it is back, which may be never. Empty where the device does not know the question.
 */
std::optional<Bytes> designators_if_running(const std::string& device, const std::string& state,
                                            std::chrono::milliseconds timeout);

/** REPORT LUNS: the units that the device's target shows to this initiator (SPC-5 6.33). */
Bytes report_luns(const std::string& device, std::chrono::milliseconds timeout);

/** READ CAPACITY (16) (SBC-4 5.21). */
Bytes read_capacity(const std::string& device, std::chrono::milliseconds timeout);

}  // namespace hostbrick
