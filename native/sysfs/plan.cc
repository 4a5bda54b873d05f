#include "sysfs/plan.h"

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <string>
#include <system_error>
#include <utility>

#include "core/system_error.h"

namespace hostbrick {

namespace {

class PlanReader {
 public:
  explicit PlanReader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }

  std::string word() {
    const auto end = rest_.find('\0');
    if (end == std::string_view::npos) refuse();
    std::string word(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return word;
  }

  std::vector<WalkField> fields() {
    std::vector<WalkField> fields;
    for (auto left = count(); left > 0; --left) {
      auto name = word();
      auto below = word();
      fields.push_back({std::move(name), std::move(below), word()});
    }
    return fields;
  }

 private:
  std::size_t count() {
    const auto digits = word();
    const auto* const end = digits.data() + digits.size();
    std::size_t value = 0;
    const auto [stopped, error] = std::from_chars(digits.data(), end, value);
    if (error != std::errc() || stopped != end) refuse();
    return value;
  }

  [[noreturn]] static void refuse() { throw SystemError(EINVAL, "walk"); }

  std::string_view rest_;
};

}  // namespace

std::vector<WalkFolder> read_plan(std::string_view text) {
  PlanReader reader(text);
  std::vector<WalkFolder> folders;
  while (!reader.done()) {
    auto path = reader.word();
    auto attributes = reader.fields();
    folders.push_back({std::move(path), std::move(attributes), reader.fields(), {}});
  }
  return folders;
}

}  // namespace hostbrick
