#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/file_descriptor.h"

namespace hostbrick {

/** One message of a netlink socket and who sent it. */
struct Datagram {
  std::span<const std::byte> bytes;
  bool cut = false;           ///< it was longer than what was asked for
  std::uint32_t port = 0;     ///< the sender's; the kernel has 0, and nobody else
  std::optional<uid_t> user;  ///< as the kernel testifies, on a socket with SO_PASSCRED
};

/** What there is to be read from a socket. */
enum class Reading {
  message,
  lost,   ///< the socket overflowed
  empty,  ///< nothing for now
  over,   ///< nothing for ever
};

/**
 * A bound socket that gets what is sent to one group (a bit), with a receive buffer for bursts of many thousand
 * messages where the process may have one. `name` is the protocol's, for errors.
 */
FileDescriptor open_netlink_socket(int protocol, unsigned group, const char* name);

/** Reads the next message, `buffer.size()` bytes of it at most, without waiting. */
Reading read_datagram(int socket, std::span<std::byte> buffer, Datagram& datagram);

/** Waits until there is something to read; false once `stop` is set. */
bool wait_readable(int socket, const Event& stop);

/** Gives the calling thread a name, of 15 characters at most. */
void name_thread(const char* name);

/** Events in the order they came. */
template <typename Item>
struct NetlinkBatch {
  std::vector<Item> events;
  bool lost = false;  ///< the socket overflowed: the receiver must look at everything again
};

/** Listens on a thread of its own. Takes any datagram socket, which is how it is tested. */
template <typename BatchOfEvents>
class NetlinkMonitor {
 public:
  using Batch = BatchOfEvents;
  /** Adds to the batch what a message says, if it is from whom it should be. */
  using Parser = std::function<void(const Datagram&, Batch&)>;
  using Receiver = std::function<void(Batch)>;

  /**
   * `parse` and `receive` are called on the monitor's thread, which is named `name`. Of each message `message_limit`
   * bytes are read.
   */
  NetlinkMonitor(FileDescriptor socket, const char* name, std::size_t message_limit, Parser parse, Receiver receive)
      : socket_(std::move(socket)),
        buffer_(message_limit),
        parse_(std::move(parse)),
        receive_(std::move(receive)),
        thread_([this, name] { run(name); }) {}
  ~NetlinkMonitor() {
    stop_.set();
    thread_.join();
  }
  NetlinkMonitor(const NetlinkMonitor&) = delete;
  NetlinkMonitor& operator=(const NetlinkMonitor&) = delete;

 private:
  // So many messages are read at a stretch, wanted or not: to hand over what they say is to stay far below a
  // millisecond, and in a storm of them a monitor that is to stop must hear of it.
  static constexpr std::size_t batch_limit = 64;

  void run(const char* name) {
    name_thread(name);
    // Whoever was told of a loss is told its end as well, also when nothing comes after it.
    while (losing_ ? !stop_.is_set() : wait_readable(socket_.get(), stop_)) {
      Batch batch;
      const auto open = read_batch(batch);
      if (batch.lost || !batch.events.empty()) receive_(std::move(batch));
      if (!open) return;
    }
  }

  // Reads until the socket is empty or it was enough; false when it cannot be read any more.
  bool read_batch(Batch& batch) {
    for (std::size_t count = 0; count < batch_limit; ++count) {
      Datagram datagram;
      switch (read_datagram(socket_.get(), buffer_, datagram)) {
        case Reading::message:
          parse_(datagram, batch);
          break;
        case Reading::lost:
          batch.lost = losing_ = true;
          break;
        case Reading::empty:
          // Until here the kernel has dropped whatever came, and has said so once (netlink_overrun in af_netlink.c).
          if (std::exchange(losing_, false)) batch.lost = true;
          return true;
        case Reading::over:
          batch.lost = true;
          return false;
      }
    }
    return true;
  }

  FileDescriptor socket_;
  std::vector<std::byte> buffer_;
  Parser parse_;
  Receiver receive_;
  Event stop_;
  bool losing_ = false;  ///< from an overflow until the socket has been read empty
  std::thread thread_;
};

}  // namespace hostbrick
