#include "udev/message.h"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace hostbrick {

namespace {

// struct monitor_netlink_header of systemd's device-monitor.c; `magic` is big-endian, the offsets are the host's.
struct UdevHeader {
  std::array<char, 8> prefix;
  std::uint32_t magic;
  std::uint32_t header_size;
  std::uint32_t properties_offset;
  std::uint32_t properties_length;
};

using std::string_view_literals::operator""sv;

constexpr auto udev_prefix = "libudev\0"sv;
constexpr std::uint32_t udev_magic = 0xfeedcafe;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Each property must be closed by its NUL: a message that was cut is no message.
std::optional<std::string_view> closed(std::string_view properties) {
  if (properties.empty() || properties.back() != '\0') return std::nullopt;
  return properties;
}

}  // namespace

std::optional<std::string_view> kernel_properties(std::span<const std::byte> message) {
  const auto text = text_of(message);
  const auto end = text.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const auto at = text.substr(0, end).find("@/");
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  return closed(text.substr(end + 1));
}

std::optional<std::string_view> udev_properties(std::span<const std::byte> message) {
  UdevHeader header{};
  if (message.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, message.data(), sizeof header);
  if (std::string_view(header.prefix.data(), header.prefix.size()) != udev_prefix) return std::nullopt;
  if (ntohl(header.magic) != udev_magic) return std::nullopt;
  const std::size_t offset = header.properties_offset;
  const std::size_t length = header.properties_length;
  if (offset < sizeof header || offset > message.size() || length > message.size() - offset) return std::nullopt;
  return closed(text_of(message.subspan(offset, length)));
}

}  // namespace hostbrick
