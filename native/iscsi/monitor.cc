#include "iscsi/monitor.h"

#include <linux/netlink.h>

#include <utility>

namespace hostbrick {

namespace {

constexpr unsigned iscsid_group = 1;  // ISCSI_NL_GRP_ISCSID

void parse(const Datagram& datagram, SessionBatch& batch) {
  if (datagram.port != 0) return;
  if (const auto event = session_event(datagram.bytes)) batch.events.push_back(*event);
}

}  // namespace

FileDescriptor open_session_socket() { return open_netlink_socket(NETLINK_ISCSI, iscsid_group, "NETLINK_ISCSI"); }

SessionMonitor::SessionMonitor(FileDescriptor socket, Receiver receive)
    : NetlinkMonitor(std::move(socket), "hostbrick-iscsi", session_message_size, parse, std::move(receive)) {}

}  // namespace hostbrick
