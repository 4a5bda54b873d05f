#include "iscsi/monitor.h"

#include <linux/netlink.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/system_error.h"

namespace hostbrick {

namespace {

constexpr unsigned iscsid_group = 1;  // ISCSI_NL_GRP_ISCSID

void parse(const Datagram& datagram, SessionBatch& batch) {
  if (datagram.port != 0) return;
  if (const auto event = session_event(datagram.bytes)) batch.events.push_back(*event);
}

}  // namespace

FileDescriptor open_session_socket() {
  // Without it, to ask for the socket has the kernel start modprobe and wait for it (netlink_create in
  // net/netlink/af_netlink.c): who only listens loads no module.
  if (::access("/sys/class/iscsi_transport", F_OK) < 0) throw SystemError(EPROTONOSUPPORT, "socket", "NETLINK_ISCSI");
  return open_netlink_socket(NETLINK_ISCSI, iscsid_group, "NETLINK_ISCSI");
}

SessionMonitor::SessionMonitor(FileDescriptor socket, Receiver receive)
    : NetlinkMonitor(std::move(socket), "hostbrick-iscsi", session_message_size, parse, std::move(receive)) {}

}  // namespace hostbrick
