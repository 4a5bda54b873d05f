#include "dm/map.h"

#include <linux/dm-ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "dm/targets.h"
#include "support.h"

namespace hostbrick::test {

namespace {

using Bytes = std::vector<std::uint8_t>;

// As the kernel lays it out (retrieve_status in drivers/md/dm-ioctl.c): each target begins at a multiple of eight.
Bytes answer_of(const std::vector<std::pair<std::string, std::string>>& targets) {
  Bytes bytes;
  for (const auto& [type, parameters] : targets) {
    dm_target_spec spec{};
    type.copy(spec.target_type, sizeof spec.target_type);
    const auto begin = bytes.size();
    const auto size = (sizeof spec + parameters.size() + 1 + 7) / 8 * 8;
    spec.next = static_cast<std::uint32_t>(begin + size);
    bytes.resize(begin + size);
    std::memcpy(&bytes[begin], &spec, sizeof spec);
    std::ranges::copy(parameters, bytes.begin() + static_cast<std::ptrdiff_t>(begin + sizeof spec));
  }
  return bytes;
}

Bytes with_next(Bytes bytes, std::uint32_t next) {
  std::memcpy(&bytes[offsetof(dm_target_spec, next)], &next, sizeof next);
  return bytes;
}

int error_of(const Bytes& bytes, std::uint32_t count) {
  return failure_of([&] { (void)parse_map_targets(bytes, count); }).error();
}

const std::string status = "2 0 0 0 1 1 E 0 2 2 8:0 A 0 0 1 8:16 A 0 0 1 ";

TEST_SUITE_BEGIN("map");

TEST_CASE("targets are read one after the other") {
  const auto targets = parse_map_targets(answer_of({{"linear", "8:0 384"}, {"error", ""}, {"multipath", status}}), 3);
  REQUIRE(targets.size() == 3);
  CHECK(targets[0].type == "linear");
  CHECK(targets[0].parameters == "8:0 384");
  CHECK(targets[1].type == "error");
  CHECK(targets[1].parameters.empty());
  CHECK(targets[2].type == "multipath");
  CHECK(targets[2].parameters == status);
}

TEST_CASE("a device without a table has none") { CHECK(parse_map_targets({}, 0).empty()); }

TEST_CASE("an answer cut anywhere within what it says is refused") {
  const auto whole = answer_of({{"linear", "8:0 384"}, {"multipath", status}});
  const auto needed = sizeof(dm_target_spec) + 8 + sizeof(dm_target_spec) + status.size() + 1;
  for (std::size_t size = 0; size < needed; ++size) {
    CAPTURE(size);
    // A copy of just that size, so that AddressSanitizer sees a read beyond it.
    CHECK(error_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), 2) == EBADMSG);
  }
  CHECK(error_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(needed)), 2) == 0);
}

TEST_CASE("more targets than there are is refused") {
  const auto whole = answer_of({{"linear", "8:0 384"}, {"error", ""}});
  CHECK(error_of(whole, 2) == 0);
  CHECK(error_of(whole, 3) == EBADMSG);
  CHECK(error_of(whole, 0xffffffff) == EBADMSG);
}

TEST_CASE("what leads back, into itself or outside is refused") {
  const auto whole = answer_of({{"linear", "8:0 384"}, {"error", ""}});
  for (const std::uint32_t next : {0U, 1U, 40U, 47U, 96U, 0x7fffffffU, 0xfffffff8U, 0xffffffffU}) {
    CAPTURE(next);
    CHECK(error_of(with_next(whole, next), 2) == EBADMSG);
  }
  // Nobody follows the last one's.
  CHECK(error_of(with_next(whole, 0), 1) == 0);
}

TEST_CASE("a type that fills its field has no end") {
  CHECK(error_of(answer_of({{"fifteen-letters", ""}}), 1) == 0);
  CHECK(error_of(answer_of({{"sixteen--letters", ""}}), 1) == EBADMSG);
}

TEST_CASE("a name that no device can have is refused before the kernel is asked") {
  const std::string name(DM_NAME_LEN, 'x');
  for (const std::function<void()>& verb : std::vector<std::function<void()>>{
           [&] { (void)map_state(name); },
           [&] { resume_map(name); },
           [&] { message_map(name, "fail_if_no_path"); },
           [&] { remove_map(name, false); },
       }) {
    CHECK(failure_of(verb).error() == ENAMETOOLONG);
  }
}

TEST_CASE("a host without device-mapper says so") {
  if (std::filesystem::exists("/dev/mapper/control")) return skip("this host has device-mapper");
  const auto failure = failure_of([] { (void)map_state("hostbrick"); });
  CHECK(failure.error() == ENOENT);
  CHECK(failure.path() == "/dev/mapper/control");
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
