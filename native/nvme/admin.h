#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/bytes.h"

namespace hostbrick {

// Admin commands that only ask, sent through a controller's device, /dev/nvmeN (include/uapi/linux/nvme_ioctl.h), with
// the names of the NVM Express Base Specification 2.0. `timeout` is the kernel's own for the command, after which it
// resets the controller.
// Throws SystemError: EIO with 'status SCT/SC' in `detail` when the controller refuses, any other errno when the
// command did not get that far: EACCES or EPERM without CAP_SYS_ADMIN, ENXIO or EAGAIN for a controller that is not
// live.

/** Identify (5.17): the data structure `cns`, 4096 bytes. `namespace_id` is 0 where the structure has none. */
Bytes identify_nvme(const std::string& device, std::uint8_t cns, std::uint32_t namespace_id,
                    std::chrono::milliseconds timeout);

/** What to read of which log page. */
struct LogPage {
  std::uint8_t identifier;  ///< LID
  std::uint8_t specific;    ///< LSP: bits that mean something else in each log
  std::uint64_t offset;     ///< LPO, in bytes; a multiple of 4, and 0 unless the controller knows offsets (LPA bit 2)
  std::uint32_t length;     ///< bytes; a multiple of 4, at most 1 MiB
};

/**
 * Get Log Page (5.16), of the controller as a whole. The event that made it worth reading stays pending (RAE): the
 * kernel reads the same logs to hear of the next one. EINVAL for a length or an offset that no command can have.
 */
Bytes log_page(const std::string& device, const LogPage& page, std::chrono::milliseconds timeout);

/** Has the kernel look for new, changed and gone namespaces (NVME_IOCTL_RESCAN). Does not wait until it has done so. */
void rescan_controller(const std::string& device);

}  // namespace hostbrick
