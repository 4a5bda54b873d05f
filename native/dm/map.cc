#include "dm/map.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "core/file_descriptor.h"
#include "core/system_error.h"

namespace hostbrick {

namespace {

constexpr const char* control = "/dev/mapper/control";
constexpr std::size_t first_answer = 16'384;
constexpr std::size_t longest_answer = first_answer * 256;

/** A request: the header, and room for what goes with it either way. */
class Request {
 public:
  Request(const std::string& name, std::uint32_t flags, std::size_t room) : bytes_(sizeof(dm_ioctl) + room) {
    dm_ioctl header{};
    // The kernel refuses a version newer than its own; nothing that is asked here is newer than the first.
    header.version[0] = 4;
    header.data_size = static_cast<std::uint32_t>(bytes_.size());
    header.data_start = sizeof(dm_ioctl);
    header.flags = flags;
    if (name.size() >= sizeof header.name) throw SystemError(ENAMETOOLONG, "ioctl", name);
    name.copy(header.name, name.size());
    put(header);
  }

  void send(unsigned long command, const char* label, const std::string& name) {
    const auto device = open_path(control, O_RDWR);
    if (::ioctl(device.get(), command, bytes_.data()) < 0) throw SystemError(errno, label, name);
  }

  [[nodiscard]] dm_ioctl header() const {
    dm_ioctl header{};
    std::memcpy(&header, bytes_.data(), sizeof header);
    return header;
  }

  /** What came after the header; empty when the kernel points outside of the request. */
  [[nodiscard]] std::span<const std::uint8_t> answer() const {
    const auto [begin, end] = std::pair{header().data_start, std::size_t{header().data_size}};
    if (begin > end || end > bytes_.size()) return {};
    return std::span(bytes_).subspan(begin, end - begin);
  }

  [[nodiscard]] std::span<std::uint8_t> data() { return std::span(bytes_).subspan(sizeof(dm_ioctl)); }

 private:
  void put(const dm_ioctl& header) { std::memcpy(bytes_.data(), &header, sizeof header); }

  std::vector<std::uint8_t> bytes_;
};

/** Asks with more room until the answer fits. */
Request ask_targets(const std::string& name, std::uint32_t flags) {
  for (auto room = first_answer; room <= longest_answer; room *= 4) {
    Request request(name, flags, room);
    request.send(DM_TABLE_STATUS, "DM_TABLE_STATUS", name);
    if ((request.header().flags & DM_BUFFER_FULL_FLAG) == 0) return request;
  }
  throw SystemError(EMSGSIZE, "DM_TABLE_STATUS", name);
}

std::vector<MapTarget> targets_of(const Request& request) {
  return parse_map_targets(request.answer(), request.header().target_count);
}

}  // namespace

MapState map_state(const std::string& name) {
  const auto status = ask_targets(name, DM_NOFLUSH_FLAG);
  const auto table = ask_targets(name, DM_NOFLUSH_FLAG | DM_STATUS_TABLE_FLAG);
  const auto header = status.header();
  return {
      .uuid = std::string(header.uuid, ::strnlen(header.uuid, sizeof header.uuid)),
      .suspended = (header.flags & DM_SUSPEND_FLAG) != 0,
      .table = targets_of(table),
      .status = targets_of(status),
  };
}

void resume_map(const std::string& name) { Request(name, 0, 0).send(DM_DEV_SUSPEND, "DM_DEV_SUSPEND", name); }

void message_map(const std::string& name, const std::string& message) {
  Request request(name, 0, sizeof(dm_target_msg) + message.size() + 1);
  // Zeros before the text are its sector: the first target's.
  std::memcpy(request.data().data() + offsetof(dm_target_msg, message), message.c_str(), message.size() + 1);
  request.send(DM_TARGET_MSG, "DM_TARGET_MSG", name);
}

void remove_map(const std::string& name, bool when_closed) {
  Request(name, when_closed ? DM_DEFERRED_REMOVE : 0, 0).send(DM_DEV_REMOVE, "DM_DEV_REMOVE", name);
}

}  // namespace hostbrick
