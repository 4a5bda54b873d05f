#include "udev/monitor.h"

#include <linux/netlink.h>

#include <algorithm>
#include <utility>

#include "udev/message.h"

namespace hostbrick {

namespace {

// The kernel's own limit is 2 KiB of properties (UEVENT_BUFFER_SIZE); udevd's messages carry all links as well.
constexpr std::size_t message_limit = 64 << 10;

void parse(UeventGroup group, UeventInterest& interest, const Datagram& datagram, UeventBatch& batch) {
  if (datagram.user != uid_t{0}) return;
  if (group == UeventGroup::kernel && datagram.port != 0) return;
  if (datagram.cut) {
    batch.lost = true;
    return;
  }
  const auto properties =
      group == UeventGroup::kernel ? kernel_properties(datagram.bytes) : udev_properties(datagram.bytes);
  if (properties && interest.wants(*properties)) batch.events.emplace_back(*properties);
}

}  // namespace

void UeventInterest::set(std::vector<std::string> texts) {
  const std::lock_guard lock(mutex_);
  texts_ = std::move(texts);
}

bool UeventInterest::wants(std::string_view event) {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(texts_, [event](const auto& text) { return event.find(text) != std::string_view::npos; });
}

void UeventInterest::look_at_next(std::vector<WalkFolder> plan) {
  const std::lock_guard lock(mutex_);
  plan_ = std::move(plan);
}

std::optional<DeviceLook> UeventInterest::look(const std::vector<std::string>& events) {
  std::optional<std::vector<WalkFolder>> plan;
  auto names = block_devices_of(events);
  if (!names.empty()) {
    const std::lock_guard lock(mutex_);
    plan.swap(plan_);
  }
  return plan ? look_at_devices(std::move(names), std::move(*plan)) : std::nullopt;
}

FileDescriptor open_uevent_socket(UeventGroup group) {
  return open_netlink_socket(NETLINK_KOBJECT_UEVENT, static_cast<unsigned>(group), "NETLINK_KOBJECT_UEVENT");
}

UeventMonitor::UeventMonitor(FileDescriptor socket, UeventGroup group, const std::shared_ptr<UeventInterest>& interest,
                             Receiver receive)
    : NetlinkMonitor(
          std::move(socket), "hostbrick-udev", message_limit,
          [group, interest](const Datagram& datagram, UeventBatch& batch) { parse(group, *interest, datagram, batch); },
          [interest, receive = std::move(receive)](UeventBatch batch) {
            batch.look = interest->look(batch.events);
            receive(std::move(batch));
          }) {}

}  // namespace hostbrick
