#pragma once

#include "core/file_descriptor.h"
#include "iscsi/message.h"
#include "netlink/monitor.h"

namespace hostbrick {

using SessionBatch = NetlinkBatch<SessionEvent>;

/**
 * A socket that hears what the kernel tells iscsid, on which nothing is ever sent: to whom the kernel speaks here makes
 * no difference to iscsid. EPROTONOSUPPORT when the kernel has no iSCSI loaded, EPERM without CAP_NET_ADMIN.
 */
FileDescriptor open_session_socket();

/**
 * Only the kernel is believed, which has port 0. Of each message no more is read than its numbers: what a login says,
 * such as CHAP's answers, does not enter this process.
 */
class SessionMonitor : public NetlinkMonitor<SessionBatch> {
 public:
  SessionMonitor(FileDescriptor socket, Receiver receive);
};

}  // namespace hostbrick
