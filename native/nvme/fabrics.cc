#include "nvme/fabrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include "core/file_descriptor.h"
#include "core/system_error.h"
#include "nvme/kernel_log.h"
#include "sysfs/attribute.h"

namespace hostbrick {

namespace {

constexpr const char* fabrics = "/dev/nvme-fabrics";
// Both answers of the kernel are one short line.
constexpr std::size_t longest_answer = 4096;

std::string read_answer(const FileDescriptor& device) {
  std::array<char, longest_answer> answer{};
  const auto size = ::read(device.get(), answer.data(), answer.size());
  if (size < 0) throw SystemError(errno, "read", fabrics);
  return {answer.data(), static_cast<std::size_t>(size)};
}

// The values of options such as dhchap_secret=...
std::vector<std::string_view> secrets_in(std::string_view options) {
  std::vector<std::string_view> secrets;
  while (!options.empty()) {
    const auto option = options.substr(0, options.find(','));
    const auto equals = option.find("secret=");
    if (equals != std::string_view::npos) secrets.push_back(option.substr(option.find('=') + 1));
    options.remove_prefix(std::min(option.size() + 1, options.size()));
  }
  return secrets;
}

// The controllers that there are, but for the one of this instance; none where they cannot be listed.
std::vector<std::string> other_controllers(std::optional<std::uint32_t> instance = {}) {
  std::vector<std::string> names;
  try {
    names = list_directory("/sys/class/nvme");
  } catch (const SystemError&) {
    return names;
  }
  if (instance) std::erase(names, "nvme" + std::to_string(*instance));
  return names;
}

std::optional<std::uint32_t> value_of(std::string_view reply, std::string_view name) {
  if (!reply.starts_with(name)) return std::nullopt;
  const auto text = reply.substr(name.size());
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string fabrics_options() { return read_answer(open_path(fabrics, O_RDONLY)); }

FabricsController connect_fabrics(std::string_view options) {
  const auto device = open_path(fabrics, O_RDWR);
  KernelLog log;
  if (::write(device.get(), options.data(), options.size()) < 0) {
    const auto error = errno;
    // What has failed over TCP, RDMA or the loop transport is no controller any more: those that there are, are others.
    throw SystemError(error, "write", fabrics, reason_in(log.read(), options, other_controllers()));
  }
  auto controller = parse_fabrics_reply(read_answer(device));
  if (controller.controller_id == unconnected) {
    controller.reason = reason_in(log.read(), options, other_controllers(controller.instance));
  }
  return controller;
}

std::string reason_in(const std::vector<std::string>& texts, std::string_view options,
                      const std::vector<std::string>& others) {
  const auto secrets = secrets_in(options);
  std::string reason;
  for (const auto& text : texts) {
    const auto shown = [&text](std::string_view secret) { return text.find(secret) != std::string::npos; };
    const auto speaks = [&text](const std::string& name) { return text.starts_with("nvme " + name + ":"); };
    if (!text.starts_with("nvme") || std::ranges::any_of(secrets, shown) || std::ranges::any_of(others, speaks))
      continue;
    if (!reason.empty()) reason += "; ";
    reason += text;
  }
  return reason;
}

FabricsController parse_fabrics_reply(std::string_view reply) {
  if (reply.ends_with('\n')) reply.remove_suffix(1);
  const auto comma = reply.find(',');
  if (comma == std::string_view::npos) throw SystemError(EBADMSG, "read", fabrics);
  const auto instance = value_of(reply.substr(0, comma), "instance=");
  const auto controller_id = value_of(reply.substr(comma + 1), "cntlid=");
  if (!instance || !controller_id) throw SystemError(EBADMSG, "read", fabrics);
  return {*instance, *controller_id, {}};
}

}  // namespace hostbrick
