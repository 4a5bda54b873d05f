#include "nvme/admin.h"

#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "core/file_descriptor.h"
#include "core/system_error.h"

namespace hostbrick {

namespace {

constexpr std::uint8_t identify_opcode = 0x06;
constexpr std::uint8_t get_log_page_opcode = 0x02;
constexpr std::uint32_t identify_size = 4096;
constexpr std::uint32_t longest_log = 1U << 20;
constexpr std::uint32_t retain_asynchronous_event = 1U << 15;
constexpr std::uint32_t all_namespaces = 0xffffffff;

// The status field (4.2.3 in figure 95 of the specification) without its phase bit.
std::string describe(unsigned status) {
  std::array<char, 48> text{};
  const auto length = std::snprintf(text.data(), text.size(), "status %x/%02x%s", status >> 8 & 7U, status & 0xffU,
                                    (status & 0x4000U) != 0 ? ", do not retry" : "");
  return {text.data(), static_cast<std::size_t>(length)};
}

Bytes ask(const std::string& path, nvme_passthru_cmd command, std::uint32_t length, std::chrono::milliseconds timeout) {
  const auto device = open_path(path, O_RDONLY);
  Bytes answer(length);
  command.addr = reinterpret_cast<std::uintptr_t>(answer.data());
  command.data_len = length;
  command.timeout_ms = static_cast<std::uint32_t>(timeout.count());
  const auto result = ::ioctl(device.get(), NVME_IOCTL_ADMIN_CMD, &command);
  if (result < 0) throw SystemError(errno, "NVME_IOCTL_ADMIN_CMD", path);
  if (result > 0) throw SystemError(EIO, "NVME_IOCTL_ADMIN_CMD", path, describe(static_cast<unsigned>(result)));
  return answer;
}

}  // namespace

Bytes identify_nvme(const std::string& device, std::uint8_t cns, std::uint32_t namespace_id,
                    std::chrono::milliseconds timeout) {
  nvme_passthru_cmd command{};
  command.opcode = identify_opcode;
  command.nsid = namespace_id;
  command.cdw10 = cns;
  return ask(device, command, identify_size, timeout);
}

Bytes log_page(const std::string& device, const LogPage& page, std::chrono::milliseconds timeout) {
  if (page.length == 0 || page.length > longest_log || page.length % 4 != 0 || page.offset % 4 != 0)
    throw SystemError(EINVAL, "NVME_IOCTL_ADMIN_CMD", device);
  const auto last_word = (page.length / 4) - 1;
  nvme_passthru_cmd command{};
  command.opcode = get_log_page_opcode;
  command.nsid = all_namespaces;
  command.cdw10 =
      page.identifier | (page.specific & 0x7fU) << 8 | retain_asynchronous_event | (last_word & 0xffffU) << 16;
  command.cdw11 = last_word >> 16;
  command.cdw12 = static_cast<std::uint32_t>(page.offset);
  command.cdw13 = static_cast<std::uint32_t>(page.offset >> 32);
  return ask(device, command, page.length, timeout);
}

void rescan_controller(const std::string& device) {
  const auto controller = open_path(device, O_RDONLY);
  if (::ioctl(controller.get(), NVME_IOCTL_RESCAN) < 0) throw SystemError(errno, "NVME_IOCTL_RESCAN", device);
}

}  // namespace hostbrick
