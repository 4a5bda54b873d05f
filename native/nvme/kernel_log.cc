#include "nvme/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

namespace hostbrick {

namespace {

// No record is longer: the kernel's limit is PRINTK_MESSAGE_MAX (2048), and before 6.3 CONSOLE_EXT_LOG_MAX.
constexpr std::size_t longest_record = 8192;
constexpr int most_records = 256;
// <sys/syslog.h>: the three bits below are the level, those above who wrote it, the kernel being 0.
constexpr unsigned first_foreign = 8;

}  // namespace

KernelLog::KernelLog() : file_(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  if (file_ && ::lseek(file_.get(), 0, SEEK_END) < 0) file_.close();
}

std::vector<std::string> KernelLog::read() {
  std::vector<std::string> texts;
  std::array<char, longest_record> record{};
  // Each read(2) gives one record. EPIPE: the one that was next has been overwritten meanwhile.
  for (int count = 0; file_ && count < most_records; ++count) {
    const auto size = ::read(file_.get(), record.data(), record.size());
    if (size < 0 && errno != EPIPE && errno != EINTR) break;
    if (size < 0) continue;
    if (auto text = kernel_text({record.data(), static_cast<std::size_t>(size)})) texts.push_back(*std::move(text));
  }
  return texts;
}

std::optional<std::string> kernel_text(std::string_view record) {
  unsigned priority = 0;
  const auto [end, error] = std::from_chars(record.data(), record.data() + record.size(), priority);
  if (error != std::errc() || end == record.data() + record.size() || *end != ',') return std::nullopt;
  if (priority >= first_foreign) return std::nullopt;
  const auto begin = record.find(';');
  if (begin == std::string_view::npos) return std::nullopt;
  // Further lines are the record's dictionary.
  const auto text = record.substr(begin + 1);
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace hostbrick
