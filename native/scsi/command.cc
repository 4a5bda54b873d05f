#include "scsi/command.h"

#include <fcntl.h>
#include <scsi/sg.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <span>

#include "core/file_descriptor.h"
#include "core/system_error.h"
#include "sysfs/attribute.h"

namespace hostbrick {

namespace {

constexpr std::uint8_t inquiry_code = 0x12;
constexpr std::uint8_t service_action_in_16_code = 0x9e;
constexpr std::uint8_t read_capacity_16_action = 0x10;
constexpr std::uint8_t report_luns_code = 0xa0;

template <std::size_t Size>
void put_big_endian(std::span<std::uint8_t, Size> field, std::uint32_t value) {
  for (auto i = field.size(); i-- > 0; value >>= 8) field[i] = static_cast<std::uint8_t>(value);
}

// Sense data, fixed (70h, 71h) or descriptor (72h, 73h) format: SPC-5 4.4.
std::string describe(const sg_io_hdr_t& header, std::span<const std::uint8_t> sense) {
  std::array<char, 96> text{};
  auto length = std::snprintf(text.data(), text.size(), "status 0x%02x, host 0x%02x, driver 0x%02x", header.status,
                              header.host_status, header.driver_status);
  const bool fixed = (sense[0] & 0x7eU) == 0x70;
  // In the fixed format the code and its qualifier come late, and a device may have cut them off; zeros say nothing.
  if (header.sb_len_wr >= 8) {
    const auto key = static_cast<unsigned>(sense[fixed ? 2 : 1] & 0x0fU);
    const auto code = static_cast<unsigned>(sense[fixed ? 12 : 2]);
    const auto qualifier = static_cast<unsigned>(sense[fixed ? 13 : 3]);
    length += std::snprintf(text.data() + length, text.size() - static_cast<std::size_t>(length),
                            ", sense %x/%02x/%02x", key, code, qualifier);
  }
  return {text.data(), static_cast<std::size_t>(length)};
}

/** A device that is open for commands. */
struct Device {
  explicit Device(const std::string& place) : path(place), descriptor(open_path(place, O_RDONLY | O_NONBLOCK)) {}

  const std::string& path;
  FileDescriptor descriptor;
};

Bytes command(const Device& device, std::span<std::uint8_t> block, std::size_t allocation,
              std::chrono::milliseconds timeout) {
  Bytes answer(allocation);
  std::array<std::uint8_t, 64> sense{};
  sg_io_hdr_t header{};
  header.interface_id = 'S';
  header.dxfer_direction = SG_DXFER_FROM_DEV;
  header.cmd_len = static_cast<unsigned char>(block.size());
  header.cmdp = block.data();
  header.dxfer_len = static_cast<unsigned>(answer.size());
  header.dxferp = answer.data();
  header.mx_sb_len = static_cast<unsigned char>(sense.size());
  header.sbp = sense.data();
  header.timeout = static_cast<unsigned>(timeout.count());
  if (::ioctl(device.descriptor.get(), SG_IO, &header) < 0) throw SystemError(errno, "SG_IO", device.path);
  if ((header.info & SG_INFO_OK_MASK) != SG_INFO_OK) {
    throw SystemError(EIO, "SG_IO", device.path, describe(header, sense));
  }
  const auto missing = header.resid > 0 ? static_cast<std::size_t>(header.resid) : 0;
  answer.resize(missing < answer.size() ? answer.size() - missing : 0);
  return answer;
}

Bytes inquiry(const Device& device, bool page, std::uint8_t code, std::uint16_t allocation,
              std::chrono::milliseconds timeout) {
  std::array<std::uint8_t, 6> block{inquiry_code, static_cast<std::uint8_t>(page ? 1 : 0), code};
  put_big_endian(std::span(block).subspan<3, 2>(), allocation);
  return command(device, block, allocation, timeout);
}

Bytes ask_page(const Device& device, std::uint8_t page, std::chrono::milliseconds timeout) {
  return inquiry(device, true, page, 4096, timeout);
}

Bytes ask_standard(const Device& device, std::chrono::milliseconds timeout) {
  // 96 bytes: what every device answers; some old ones fail on more than 255.
  return inquiry(device, false, 0, 96, timeout);
}

template <typename Ask>
std::optional<Bytes> unless_unknown(const Ask& ask) {
  try {
    return ask();
  } catch (const SystemError& failure) {
    // As describe() puts it.
    if (failure.error() == EIO && failure.detail().find("sense 5/") != std::string::npos) return std::nullopt;
    throw;
  }
}

}  // namespace

Bytes inquire_page(const std::string& device, std::uint8_t page, std::chrono::milliseconds timeout) {
  return ask_page(Device(device), page, timeout);
}

Bytes inquire(const std::string& device, std::chrono::milliseconds timeout) {
  return ask_standard(Device(device), timeout);
}

Identification identify(const std::string& device, std::chrono::milliseconds timeout) {
  const Device unit(device);
  const auto page = [&](std::uint8_t number) {
    return unless_unknown([&] { return ask_page(unit, number, timeout); });
  };
  return {unless_unknown([&] { return ask_standard(unit, timeout); }), page(0x83), page(0x80)};
}

std::optional<Bytes> designators_if_running(const std::string& device, const std::string& state,
                                            std::chrono::milliseconds timeout) {
  if (read_if_there(state) != "running\n") return std::nullopt;
  return unless_unknown([&] { return inquire_page(device, 0x83, timeout); }).value_or(Bytes{});
}

Bytes report_luns(const std::string& device, std::chrono::milliseconds timeout) {
  // Room for 8191 units: half of what a flat address space holds and more than any array maps to one host.
  constexpr std::uint32_t allocation = 65536;
  std::array<std::uint8_t, 12> block{report_luns_code};
  put_big_endian(std::span(block).subspan<6, 4>(), allocation);
  return command(Device(device), block, allocation, timeout);
}

Bytes read_capacity(const std::string& device, std::chrono::milliseconds timeout) {
  std::array<std::uint8_t, 16> block{service_action_in_16_code, read_capacity_16_action};
  constexpr std::uint32_t allocation = 32;
  put_big_endian(std::span(block).subspan<10, 4>(), allocation);
  return command(Device(device), block, allocation, timeout);
}

}  // namespace hostbrick
