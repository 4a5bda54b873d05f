#include "udev/monitor.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support.h"
#include "udev/look.h"

namespace hostbrick::test {

namespace {

using namespace std::string_literals;

constexpr uid_t nobody = 65534;

// Keeps what a monitor hands over.
class Inbox {
 public:
  UeventMonitor::Receiver receiver() {
    return [this](UeventBatch batch) {
      const std::lock_guard lock(mutex_);
      batches_.push_back(std::move(batch));
      changed_.notify_all();
    };
  }

  /** Waits until `condition` holds of the batches, then returns them. */
  template <typename Condition>
  std::vector<UeventBatch> wait_until(const Condition& condition) {
    std::unique_lock lock(mutex_);
    CHECK(changed_.wait_for(lock, deadline, [&] { return condition(batches_); }));
    return batches_;
  }

  std::vector<std::string> wait_for_events(std::size_t count) {
    return events_of(wait_until([&](const auto& batches) { return events_of(batches).size() >= count; }));
  }

  static std::vector<std::string> events_of(const std::vector<UeventBatch>& batches) {
    std::vector<std::string> all;
    for (const auto& batch : batches) all.insert(all.end(), batch.events.begin(), batch.events.end());
    return all;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<UeventBatch> batches_;
};

std::shared_ptr<UeventInterest> interest_in(std::vector<std::string> texts) {
  auto interest = std::make_shared<UeventInterest>();
  interest->set(std::move(texts));
  return interest;
}

std::shared_ptr<UeventInterest> everything() { return interest_in({""}); }

// A socket for a monitor and the other end of it, in the kernel's place.
struct Pair {
  FileDescriptor sender;
  FileDescriptor receiver;

  Pair() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    sender = FileDescriptor(ends[0]);
    receiver = FileDescriptor(ends[1]);
    const int on = 1;
    REQUIRE(::setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    REQUIRE(::fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
  }

  void send(const std::string& message) const {
    REQUIRE(::send(sender.get(), message.data(), message.size(), 0) == static_cast<ssize_t>(message.size()));
  }
};

std::string properties(int number) { return "ACTION=add\0SEQNUM="s + std::to_string(number) + '\0'; }

std::string kernel_message(int number) { return "add@/devices/x\0"s + properties(number); }

TEST_SUITE_BEGIN("monitor");

TEST_CASE("events arrive in order") {
  if (!is_root()) return skip("a monitor trusts only root");
  Pair pair;
  Inbox inbox;
  const UeventMonitor monitor(std::move(pair.receiver), UeventGroup::kernel, everything(), inbox.receiver());
  for (int i = 0; i < 3; ++i) pair.send(kernel_message(i));
  CHECK(inbox.wait_for_events(3) == std::vector{properties(0), properties(1), properties(2)});
  pair.send(kernel_message(3));
  CHECK(inbox.wait_for_events(4).back() == properties(3));
}

TEST_CASE("only what somebody wants to hear of arrives") {
  if (!is_root()) return skip("a monitor trusts only root");
  Pair pair;
  Inbox inbox;
  const auto interest = interest_in({"SEQNUM=2"s + '\0', "SEQNUM=4"s + '\0'});
  const UeventMonitor monitor(std::move(pair.receiver), UeventGroup::kernel, interest, inbox.receiver());
  for (const auto number : {20, 2, 3, 40, 4}) pair.send(kernel_message(number));
  CHECK(inbox.wait_for_events(2) == std::vector{properties(2), properties(4)});
  interest->set({"ACTION=add"});
  pair.send(kernel_message(5));
  CHECK(inbox.wait_for_events(3).back() == properties(5));
}

TEST_CASE("what is not a uevent is passed over") {
  if (!is_root()) return skip("a monitor trusts only root");
  Pair pair;
  Inbox inbox;
  const UeventMonitor monitor(std::move(pair.receiver), UeventGroup::kernel, everything(), inbox.receiver());
  pair.send("garbage");
  pair.send("libudev\0udevd speaks to another group"s);
  pair.send(kernel_message(1));
  pair.send("add@/devices/x\0CUT=in the mid"s);
  pair.send(kernel_message(2));
  CHECK(inbox.wait_for_events(2) == std::vector{properties(1), properties(2)});
}

TEST_CASE("more events than a batch holds come in several") {
  if (!is_root()) return skip("a monitor trusts only root");
  Pair pair;
  Inbox inbox;
  constexpr int count = 1000;
  const UeventMonitor monitor(std::move(pair.receiver), UeventGroup::kernel, everything(), inbox.receiver());
  for (int i = 0; i < count; ++i) pair.send(kernel_message(i));
  const auto batches =
      inbox.wait_until([](const auto& all) { return Inbox::events_of(all).size() == std::size_t{count}; });
  const auto events = Inbox::events_of(batches);
  REQUIRE(events.size() == count);
  for (int i = 0; i < count; ++i) CHECK(events[static_cast<std::size_t>(i)] == properties(i));
  for (const auto& batch : batches) {
    CHECK(batch.events.size() <= 64);
    CHECK_FALSE(batch.events.empty());
    CHECK_FALSE(batch.lost);
  }
}

TEST_CASE("a message too long for the buffer counts as lost") {
  if (!is_root()) return skip("a monitor trusts only root");
  Pair pair;
  Inbox inbox;
  const UeventMonitor monitor(std::move(pair.receiver), UeventGroup::kernel, everything(), inbox.receiver());
  pair.send("add@/devices/x\0LONG="s + std::string(70000, 'x') + '\0');
  pair.send(kernel_message(1));
  const auto batches = inbox.wait_until([](const auto& all) { return !Inbox::events_of(all).empty(); });
  CHECK(Inbox::events_of(batches) == std::vector{properties(1)});
  CHECK(std::ranges::any_of(batches, &UeventBatch::lost));
}

TEST_CASE("a loss is told when it begins, and again when all that was kept has been read") {
  if (!is_root()) return skip("to send to a group is for root");
  auto receiver = open_netlink_socket(NETLINK_USERSOCK, 1, "NETLINK_USERSOCK");
  // Room for several batches, and for no more than that.
  const int room = 256 << 10;
  REQUIRE(::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room) == 0);
  const FileDescriptor sender(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK));
  sockaddr_nl group{};
  group.nl_family = AF_NETLINK;
  group.nl_groups = 1;
  // It says ECONNREFUSED, as the kernel itself (port 0) takes no such message; the group has got it by then.
  const auto send_one = [&] {
    ::sendto(sender.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&group), sizeof group);
  };
  for (int i = 0; i < 5000; ++i) send_one();

  Inbox inbox;
  const auto read = [](const Datagram&, UeventBatch& batch) { batch.events.emplace_back("x"); };
  const NetlinkMonitor<UeventBatch> monitor(std::move(receiver), "test", 16, read, inbox.receiver());
  const auto batches =
      inbox.wait_until([](const auto& all) { return std::ranges::count_if(all, &UeventBatch::lost) == 2; });
  REQUIRE(batches.size() > 2);
  CHECK(batches.front().lost);
  CHECK(batches.back().lost);
  CHECK(Inbox::events_of(batches).size() < 5000);

  send_one();
  const auto more = inbox.wait_until([&](const auto& all) { return all.size() > batches.size(); });
  CHECK_FALSE(more.back().lost);
}

TEST_CASE("a monitor stops at once") {
  if (!is_root()) return skip("a monitor trusts only root");
  Pair pair;
  Inbox inbox;
  const auto start = std::chrono::steady_clock::now();
  {
    const UeventMonitor unused(std::move(pair.receiver), UeventGroup::kernel, everything(), inbox.receiver());
  }
  Pair busy;
  {
    const UeventMonitor monitor(std::move(busy.receiver), UeventGroup::kernel, everything(), inbox.receiver());
    busy.send(kernel_message(1));
    inbox.wait_for_events(1);
  }
  CHECK(std::chrono::steady_clock::now() - start < deadline);
}

TEST_CASE("a monitor stops in a storm of what nobody wants") {
  Pair pair;
  const auto start = std::chrono::steady_clock::now();
  Gate begun;
  // Before one message is done with, the next is there.
  const auto parse = [&, first = true](const Datagram&, NetlinkBatch<int>&) mutable {
    if (std::exchange(first, false)) begun.open();
    if (std::chrono::steady_clock::now() - start < deadline) pair.send("more");
  };
  pair.send("first");
  {
    const NetlinkMonitor<NetlinkBatch<int>> monitor(std::move(pair.receiver), "storm", 16, parse,
                                                    [](const NetlinkBatch<int>&) {});
    REQUIRE(begun.pass());
  }
  CHECK(std::chrono::steady_clock::now() - start < deadline);
}

TEST_CASE("a monitor whose other end has gone still stops") {
  Pair pair;
  Inbox inbox;
  const UeventMonitor monitor(std::move(pair.receiver), UeventGroup::kernel, everything(), inbox.receiver());
  pair.sender.close();
}

TEST_CASE("only root is believed") {
  if (!is_root()) return skip("needs root to become somebody else");
  Pair pair;
  const auto forged = kernel_message(666);
  const Child forger([&] {
    if (::setuid(nobody) != 0) throw SystemError(errno, "setuid");
    if (::send(pair.sender.get(), forged.data(), forged.size(), 0) < 0) throw SystemError(errno, "send");
  });
  pair.send(kernel_message(1));
  Inbox inbox;
  const UeventMonitor monitor(std::move(pair.receiver), UeventGroup::kernel, everything(), inbox.receiver());
  CHECK(inbox.wait_for_events(1) == std::vector{properties(1)});
}

std::string block_message(const std::string& device) {
  return "change@/devices/x\0ACTION=change\0DEVPATH=/devices/x/block/"s + device + "\0SUBSYSTEM=block\0"s;
}

TEST_CASE("block devices are known by the last part of their path, each once") {
  const auto event = [](const std::string& path, const std::string& more) { return "DEVPATH=" + path + '\0' + more; };
  const auto block = "SUBSYSTEM=block\0"s;
  CHECK(block_devices_of({event("/devices/x/block/sda", block), event("/devices/x/block/sda/sda1", block),
                          event("/devices/x/block/sda", "ACTION=change\0"s + block),
                          event("/devices/x/block/sdb", "SUBSYSTEM=blocked\0"s),
                          event("/devices/x/block/sdc", "NOT_SUBSYSTEM=block\0"s), block, ""}) ==
        std::vector<std::string>{"sda", "sda1"});
}

TEST_CASE("a look at block devices comes with their next events, once it is asked for") {
  if (!is_root()) return skip("a monitor trusts only root");
  const auto devices = std::filesystem::directory_iterator("/sys/class/block");
  if (devices == std::filesystem::directory_iterator()) return skip("no block devices here");
  const auto name = devices->path().filename().string();
  Pair pair;
  Inbox inbox;
  const auto interest = everything();
  const UeventMonitor monitor(std::move(pair.receiver), UeventGroup::kernel, interest, inbox.receiver());
  std::size_t events = 0;
  // One at a time, each in a batch of its own.
  const auto look_after = [&](const std::string& message) {
    pair.send(message);
    ++events;
    return inbox.wait_until([&](const auto& all) { return Inbox::events_of(all).size() >= events; }).back().look;
  };

  CHECK_FALSE(look_after(block_message(name)));
  interest->look_at_next({{"class/block", {{"uevent", "", ""}}, {}, {}}});
  CHECK_FALSE(look_after(kernel_message(1)));
  const auto look = look_after(block_message(name));
  REQUIRE(look);
  CHECK(look->names == std::vector{name});
  CHECK(look->bytes.find("MAJOR=") != std::string::npos);
  CHECK_FALSE(look_after(block_message(name)));

  interest->look_at_next({{"class/block", {{"uevent", "", ""}}, {}, {}}});
  const auto gone = look_after(block_message("nobody"));
  REQUIRE(gone);
  CHECK(gone->names == std::vector{"nobody"s});
  CHECK(gone->bytes.empty());

  // Whoever looks without being told gets the error.
  interest->look_at_next({{"class/block/" + name + "/uevent", {}, {}, {}}});
  CHECK_FALSE(look_after(block_message(name)));
  interest->look_at_next({});
  CHECK_FALSE(look_after(block_message(name)));
}

TEST_CASE("the kernel's own events arrive") {
  const std::string attribute = "/sys/class/mem/null/uevent";
  if (::access(attribute.c_str(), W_OK) != 0) return skip("may not write " + attribute);
  Inbox inbox;
  const UeventMonitor monitor(open_uevent_socket(UeventGroup::kernel), UeventGroup::kernel, everything(),
                              inbox.receiver());
  std::ofstream(attribute) << "change 5f1a9ad4-3d6c-4f4e-9d4b-6a1c3f1f7b5e HOSTBRICK=test";
  const auto expected = [](const std::string& event) {
    return event.starts_with("ACTION=change\0DEVPATH=/devices/virtual/mem/null\0SUBSYSTEM=mem\0"s) &&
           event.find("\0SYNTH_ARG_HOSTBRICK=test\0"s) != std::string::npos;
  };
  const auto batches =
      inbox.wait_until([&](const auto& all) { return std::ranges::any_of(Inbox::events_of(all), expected); });
  CHECK_FALSE(std::ranges::any_of(batches, &UeventBatch::lost));
}

TEST_CASE("both groups can be listened to") {
  Inbox inbox;
  const UeventMonitor kernel(open_uevent_socket(UeventGroup::kernel), UeventGroup::kernel, everything(),
                             inbox.receiver());
  const UeventMonitor udev(open_uevent_socket(UeventGroup::udev), UeventGroup::udev, everything(), inbox.receiver());
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
