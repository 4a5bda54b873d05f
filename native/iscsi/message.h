#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace hostbrick {

/** What the kernel's iSCSI transport says of one session. */
struct SessionEvent {
  enum class Kind {
    created,    ///< there is a session; it is not logged in yet, and may not know its target's name
    destroyed,  ///< there is none any more
    unbound,    ///< its target is gone: no unit will be found on it again
    failed,     ///< a connection of it has failed
  };
  Kind kind;
  std::uint32_t session;
  std::uint32_t host;        ///< number of the SCSI host; not of `failed`
  std::uint32_t connection;  ///< of `failed`
  std::uint32_t error;       ///< of `failed`: enum iscsi_err, from 1001 on
};

/** Of a message, all that an event is read from: nlmsghdr and iscsi_uevent, without what may follow them. */
constexpr std::size_t session_message_size = 72;

/**
 * Reads a message of NETLINK_ISCSI. Nothing for every other kind, above all those that carry parts of logins in
 * progress, for replies to requests, and for what is too short.
 */
std::optional<SessionEvent> session_event(std::span<const std::byte> message);

}  // namespace hostbrick
