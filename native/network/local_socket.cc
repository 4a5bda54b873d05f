#include "network/local_socket.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "core/system_error.h"

namespace hostbrick {

namespace {

// More than any answer that we ask for.
constexpr std::size_t longest_answer = 65'536;

bool is_trusted(const FileDescriptor& socket) {
  ucred listener{};
  socklen_t length = sizeof listener;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &listener, &length) < 0) return false;
  return listener.uid == 0 || listener.uid == ::geteuid();
}

template <typename Value>
void set_option(const FileDescriptor& socket, int option, const Value& value) {
  if (::setsockopt(socket.get(), SOL_SOCKET, option, &value, sizeof value) < 0) throw SystemError(errno, "setsockopt");
}

timeval to_timeval(std::chrono::milliseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {seconds.count(), std::chrono::microseconds(time - seconds).count()};
}

void send_all(const FileDescriptor& socket, const std::string& request) {
  for (std::size_t sent = 0; sent < request.size();) {
    const auto length = ::send(socket.get(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (length >= 0) {
      sent += static_cast<std::size_t>(length);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return;  // It has heard enough; its answer tells.
    } else if (errno != EINTR) {
      throw SystemError(errno, "send");
    }
  }
}

// With SO_PASSCRED the kernel notes on each message who wrote it.
int writer_of(msghdr& message) {
  for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
    ucred writer{};
    std::memcpy(&writer, CMSG_DATA(part), sizeof writer);
    return writer.pid;
  }
  return 0;
}

Answer receive_all(const FileDescriptor& socket) {
  Answer answer;
  while (answer.bytes.size() <= longest_answer) {
    std::array<std::uint8_t, 4096> chunk{};
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(ucred))> control{};
    iovec vector{chunk.data(), chunk.size()};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto length = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
    if (length > 0) {
      answer.bytes.insert(answer.bytes.end(), chunk.begin(), chunk.begin() + length);
      answer.pid = writer_of(message);
    } else if (length == 0) {
      answer.consumed = true;
      return answer;
    } else if (errno == ECONNRESET) {
      return answer;  // unix(7): closed with something of ours unread.
    } else if (errno != EINTR) {
      throw SystemError(errno, "recvmsg");
    }
  }
  throw SystemError(EMSGSIZE, "recvmsg");
}

/** What goes into sun_path: an abstract name begins with NUL, and neither has one at its end. */
class Address {
 public:
  static Address abstract(const std::string& name) { return {std::string(1, '\0') + name, "@" + name}; }
  static Address path(const std::string& path) { return {path, path}; }

  [[nodiscard]] const std::string& shown() const { return shown_; }
  /** Zero, or an error's number. */
  [[nodiscard]] int connect(const FileDescriptor& socket) const {
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length_);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&target_), length) < 0 ? errno : 0;
  }

 private:
  Address(const std::string& bytes, std::string shown) : shown_(std::move(shown)), length_(bytes.size()) {
    if (length_ > sizeof target_.sun_path) throw SystemError(ENAMETOOLONG, "connect", shown_);
    target_.sun_family = AF_UNIX;
    bytes.copy(target_.sun_path, length_);
  }

  std::string shown_;
  std::size_t length_;
  sockaddr_un target_{};
};

FileDescriptor connect_to(const Address& address, std::chrono::milliseconds patience) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError(errno, "socket", address.shown());
  // A connect(2) waits for room in the listener's queue, as long as a send(2) would (unix_stream_connect).
  set_option(socket, SO_SNDTIMEO, to_timeval(patience));
  // EINTR: the process was stopped and goes on; a socket that still waits for room is not connected.
  while (const auto error = address.connect(socket)) {
    if (error != EINTR) throw SystemError(error, "connect", address.shown());
  }
  if (!is_trusted(socket)) throw SystemError(EACCES, "connect", address.shown());
  return socket;
}

bool is_listening(const Address& address) {
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto error = socket ? address.connect(socket) : errno;
  return error != ENOENT && error != ECONNREFUSED;
}

}  // namespace

FileDescriptor connect_abstract(const std::string& name, std::chrono::milliseconds patience) {
  return connect_to(Address::abstract(name), patience);
}

FileDescriptor connect_path(const std::string& path, std::chrono::milliseconds patience) {
  return connect_to(Address::path(path), patience);
}

bool is_abstract_listening(const std::string& name) { return is_listening(Address::abstract(name)); }

bool is_path_listening(const std::string& path) { return is_listening(Address::path(path)); }

Answer ask_abstract(const std::string& name, const std::string& request, std::chrono::milliseconds timeout) {
  const auto socket = connect_abstract(name, timeout);
  set_option(socket, SO_PASSCRED, 1);
  set_option(socket, SO_RCVTIMEO, to_timeval(timeout));
  send_all(socket, request);
  return receive_all(socket);
}

}  // namespace hostbrick
