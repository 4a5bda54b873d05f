#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "iscsi/message.h"
#include "iscsi/monitor.h"
#include "support.h"

namespace hostbrick::test {

namespace {

using Kind = SessionEvent::Kind;

void append(std::string& bytes, std::uint64_t number, std::size_t size) {
  bytes.append(reinterpret_cast<const char*>(&number), size);
}

// A message as the kernel's iscsi_session_event and iscsi_conn_error_event make it, on a little-endian machine.
std::string message(std::uint32_t type, std::array<std::uint32_t, 3> numbers, std::uint32_t length = 72) {
  std::string bytes;
  append(bytes, length, 4);  // nlmsghdr: length, type, flags, sequence and port
  bytes.append(12, '\0');
  append(bytes, type, 4);
  append(bytes, 0, 4);                   // iferror
  append(bytes, 0xffff888012345678, 8);  // transport_handle
  bytes.append(24, '\0');                // what only goes downwards
  for (const auto number : numbers) append(bytes, number, 4);
  append(bytes, 0, 4);
  return bytes;
}

std::optional<SessionEvent> event_of(const std::string& text) { return session_event(std::as_bytes(std::span(text))); }

TEST_SUITE_BEGIN("session monitor");

TEST_CASE("a session that is made or unbound is told with its host") {
  for (const auto& [type, kind] : {std::pair{106U, Kind::created}, std::pair{105U, Kind::unbound}}) {
    const auto event = event_of(message(type, {7, 2, 0}));
    REQUIRE(event);
    CHECK(event->kind == kind);
    CHECK(event->session == 7);
    CHECK(event->host == 2);
  }
}

TEST_CASE("one that has gone is told the other way round") {
  const auto event = event_of(message(104, {2, 7, 0}));
  REQUIRE(event);
  CHECK(event->kind == Kind::destroyed);
  CHECK(event->session == 7);
  CHECK(event->host == 2);
}

TEST_CASE("a connection's failure is told with its number") {
  const auto event = event_of(message(102, {7, 1, 1022}));
  REQUIRE(event);
  CHECK(event->kind == Kind::failed);
  CHECK(event->session == 7);
  CHECK(event->connection == 1);
  CHECK(event->error == 1022);
}

TEST_CASE("nothing else is told: PDUs of logins, replies to requests, hosts' events") {
  for (const auto type : {0U, 11U, 12U, 17U, 20U, 33U, 43U, 100U, 101U, 103U, 107U, 109U, 110U, 111U, 106U << 8U}) {
    CAPTURE(type);
    CHECK_FALSE(event_of(message(type, {7, 2, 1001}) + "security=what a login says"));
  }
}

TEST_CASE("what is too short, or says so, is no event") {
  const auto whole = message(106, {7, 2, 0});
  REQUIRE(whole.size() == session_message_size);
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(event_of(whole.substr(0, size)));
  CHECK_FALSE(event_of(message(106, {7, 2, 0}, 71)));
  CHECK_FALSE(event_of(message(106, {7, 2, 0}, 0)));
  CHECK(event_of(message(106, {7, 2, 0}, 4096) + "cut off here"));
}

TEST_CASE("a monitor hands over events in order, and nothing of what a login says") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
  const FileDescriptor sender(ends[0]);
  std::mutex mutex;
  std::condition_variable changed;
  SessionBatch all;
  const SessionMonitor monitor(FileDescriptor(ends[1]), [&](const SessionBatch& batch) {
    const std::lock_guard lock(mutex);
    all.events.insert(all.events.end(), batch.events.begin(), batch.events.end());
    all.lost = all.lost || batch.lost;
    changed.notify_all();
  });
  for (const auto& text : {message(106, {7, 2, 0}), message(101, {7, 0, 0}) + std::string(8192, 'x'),
                           message(102, {7, 0, 1011}), message(104, {2, 7, 0})}) {
    REQUIRE(::send(sender.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }
  std::unique_lock lock(mutex);
  REQUIRE(changed.wait_for(lock, deadline, [&] { return all.events.size() == 3; }));
  CHECK(all.events[0].kind == Kind::created);
  CHECK(all.events[1].kind == Kind::failed);
  CHECK(all.events[2].kind == Kind::destroyed);
  CHECK_FALSE(all.lost);
}

TEST_CASE("a host without iSCSI says so") {
  const auto failure = failure_of([] { open_session_socket(); });
  if (failure.error() == 0) return skip("iSCSI is loaded here");
  CHECK((failure.error() == EPROTONOSUPPORT || failure.error() == EPERM));
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
