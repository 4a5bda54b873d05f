#include "udev/monitor.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "core/system_error.h"
#include "udev/message.h"

namespace hostbrick {

namespace {

constexpr int receive_buffer = 32 << 20;
// The kernel's own limit is 2 KiB of properties (UEVENT_BUFFER_SIZE); udevd's messages carry all links as well.
constexpr std::size_t message_limit = 64 << 10;
// So many events are handed over together at most: one delivery is to stay far below a millisecond.
constexpr std::size_t batch_limit = 64;

// Who sent the datagram, as the kernel testifies (SO_PASSCRED).
std::optional<uid_t> sender_uid(msghdr& header) {
  for (auto* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS) continue;
    ucred credentials{};
    std::memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
    return credentials.uid;
  }
  return std::nullopt;
}

}  // namespace

FileDescriptor open_uevent_socket(UeventGroup group) {
  FileDescriptor socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  if (!socket) throw SystemError(errno, "socket", "NETLINK_KOBJECT_UEVENT");
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) throw SystemError(errno, "SO_PASSCRED");
  // With CAP_NET_ADMIN the size is ours to choose, without it the system's limit holds.
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) < 0) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = static_cast<unsigned>(group);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    throw SystemError(errno, "bind", "NETLINK_KOBJECT_UEVENT");
  }
  return socket;
}

UeventMonitor::UeventMonitor(FileDescriptor socket, UeventGroup group, Receiver receive)
    : socket_(std::move(socket)), group_(group), receive_(std::move(receive)), thread_([this] { run(); }) {}

UeventMonitor::~UeventMonitor() {
  stop_.set();
  thread_.join();
}

void UeventMonitor::run() {
  ::prctl(PR_SET_NAME, "hostbrick-udev");
  for (;;) {
    std::array<pollfd, 2> polled{{{socket_.get(), POLLIN, 0}, {stop_.descriptor(), POLLIN, 0}}};
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[1].revents != 0) return;
    UeventBatch batch;
    const auto open = read_batch(batch);
    if (batch.lost || !batch.events.empty()) receive_(std::move(batch));
    if (!open) return;
  }
}

// Reads until the socket is empty or the batch full; false when it cannot be read any more.
bool UeventMonitor::read_batch(UeventBatch& batch) const {
  std::array<std::byte, message_limit> buffer;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(ucred))> control;
  while (batch.events.size() < batch_limit) {
    iovec part{buffer.data(), buffer.size()};
    sockaddr_nl sender{};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();

    const auto size = ::recvmsg(socket_.get(), &header, 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return true;
      batch.lost = true;
      if (errno != ENOBUFS) return false;
      continue;
    }

    if (sender_uid(header) != uid_t{0}) continue;
    if (group_ == UeventGroup::kernel && sender.nl_pid != 0) continue;
    if ((header.msg_flags & MSG_TRUNC) != 0) {
      batch.lost = true;
      continue;
    }
    const auto message = std::span(buffer).first(static_cast<std::size_t>(size));
    const auto properties = group_ == UeventGroup::kernel ? kernel_properties(message) : udev_properties(message);
    if (properties) batch.events.emplace_back(*properties);
  }
  return true;
}

}  // namespace hostbrick
