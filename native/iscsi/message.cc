#include "iscsi/message.h"

#include <linux/netlink.h>

#include <cstring>

namespace hostbrick {

namespace {

// include/scsi/iscsi_if.h of the kernel, which is no header for programs and has only been appended to. A message is a
// struct nlmsghdr and a struct iscsi_uevent, 56 bytes in every ABI: `type`, then at 40 a union with what goes upwards.
constexpr std::size_t type_at = sizeof(nlmsghdr);
constexpr std::size_t first_at = type_at + 40;
constexpr std::size_t second_at = first_at + 4;
constexpr std::size_t third_at = first_at + 8;
static_assert(type_at + 56 == session_message_size);

// enum iscsi_uevent_e
constexpr std::uint32_t connection_error = 102;
constexpr std::uint32_t destroy_session = 104;
constexpr std::uint32_t unbind_session = 105;
constexpr std::uint32_t create_session = 106;

std::uint32_t number_at(std::span<const std::byte> message, std::size_t offset) {
  std::uint32_t number = 0;
  std::memcpy(&number, message.subspan(offset, sizeof number).data(), sizeof number);
  return number;
}

}  // namespace

std::optional<SessionEvent> session_event(std::span<const std::byte> message) {
  if (message.size() < session_message_size) return std::nullopt;
  // The header's own type is 0 in what the kernel says of its own accord.
  if (number_at(message, offsetof(nlmsghdr, nlmsg_len)) < session_message_size) return std::nullopt;
  const auto first = number_at(message, first_at);
  const auto second = number_at(message, second_at);
  switch (number_at(message, type_at)) {
    case create_session:
      return SessionEvent{SessionEvent::Kind::created, first, second, 0, 0};
    case unbind_session:
      return SessionEvent{SessionEvent::Kind::unbound, first, second, 0, 0};
    case destroy_session:  // The other way round: host_no, sid.
      return SessionEvent{SessionEvent::Kind::destroyed, second, first, 0, 0};
    case connection_error:
      return SessionEvent{SessionEvent::Kind::failed, first, 0, second, number_at(message, third_at)};
    default:
      return std::nullopt;
  }
}

}  // namespace hostbrick
