#include "udev/message.h"

#include <arpa/inet.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support.h"

namespace hostbrick::test {

namespace {

using namespace std::string_view_literals;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// A message of udevd with everything as it should be; a test changes what it is about.
struct UdevMessage {
  std::string_view prefix = "libudev\0"sv;
  std::uint32_t magic = 0xfeedcafe;
  std::uint32_t header_size = 40;
  std::uint32_t properties_offset = 40;
  std::string_view properties = "ACTION=add\0DEVNAME=/dev/sda\0"sv;
  std::uint32_t properties_length = static_cast<std::uint32_t>(properties.size());

  [[nodiscard]] std::string bytes() const {
    std::string text(prefix);
    // The filters' hashes, which do not matter here, end the header.
    for (const auto number : {htonl(magic), header_size, properties_offset, properties_length, 0U, 0U, 0U, 0U}) {
      text.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    return text.append(properties);
  }
};

TEST_SUITE_BEGIN("message");

TEST_CASE("a kernel message has its properties after its first line") {
  const auto message = "add@/devices/virtual/block/loop0\0ACTION=add\0SEQNUM=7\0"sv;
  const auto properties = kernel_properties(bytes_of(message));
  CHECK(properties == "ACTION=add\0SEQNUM=7\0"sv);
  CHECK(properties->data() == message.data() + message.find("ACTION"));
}

TEST_CASE("what is not a kernel message has no properties") {
  for (const auto message : {
           ""sv,                                // empty
           "add@/devices/x"sv,                  // cut in its first line
           "add@/devices/x\0"sv,                // without properties
           "add@/devices/x\0ACTION=add"sv,      // cut in a property
           "@/devices/x\0ACTION=add\0"sv,       // without an action
           "add@devices\0ACTION=add\0"sv,       // without a path
           "add\0ACTION=add@/devices/x\0"sv,    // the path comes too late
           "libudev\0ACTION=add\0"sv,           // udevd's prefix
           "\0add@/devices/x\0ACTION=add\0"sv,  // starts with NUL
       }) {
    CAPTURE(message);
    CHECK_FALSE(kernel_properties(bytes_of(message)));
  }
}

TEST_CASE("a kernel message cut anywhere is no message or ends with a whole property") {
  const auto message = "add@/devices/x\0ACTION=add\0SEQNUM=7\0"sv;
  for (std::size_t size = 0; size < message.size(); ++size) {
    CAPTURE(size);
    const auto properties = kernel_properties(bytes_of(message.substr(0, size)));
    CHECK((!properties || properties == "ACTION=add\0"sv));
  }
}

TEST_CASE("a message of udevd has its properties where its header says") {
  const UdevMessage message;
  CHECK(udev_properties(bytes_of(message.bytes())) == message.properties);

  // A later version may have a longer header, or something after the properties.
  UdevMessage later;
  later.properties_offset = 48;
  later.properties = "12345678ACTION=add\0more"sv;
  later.properties_length = 11;
  CHECK(udev_properties(bytes_of(later.bytes())) == "ACTION=add\0"sv);
}

TEST_CASE("a foreign prefix or magic is not udevd's") {
  UdevMessage message;
  message.prefix = "libudew\0"sv;
  CHECK_FALSE(udev_properties(bytes_of(message.bytes())));
  message = {};
  message.prefix = "libudevX"sv;
  CHECK_FALSE(udev_properties(bytes_of(message.bytes())));
  message = {};
  message.magic = 0xcafefeed;
  CHECK_FALSE(udev_properties(bytes_of(message.bytes())));
  message.magic = ntohl(0xfeedcafe);
  CHECK_FALSE(udev_properties(bytes_of(message.bytes())));
  CHECK_FALSE(udev_properties(bytes_of("add@/devices/x\0ACTION=add\0SEQNUM=7\0PADDING=12345678\0"sv)));
}

TEST_CASE("offsets and lengths that lie are refused") {
  const auto size = static_cast<std::uint32_t>(UdevMessage{}.bytes().size());
  struct Lie {
    std::uint32_t offset;
    std::uint32_t length;
  };
  for (const auto& [offset, length] : {
           Lie{0, 28},                   // into the header
           Lie{23, 10},                  // the header's last byte
           Lie{40, 29},                  // one byte too many
           Lie{size, 1},                 // from the end on
           Lie{size + 1, 0},             // beyond the end
           Lie{size - 1, 0xffffffff},    // the sum overflows
           Lie{0xffffffff, 1},           // the sum overflows
           Lie{0xffffffff, 0xffffffff},  // both
           Lie{0x80000000, 0x80000000},  // the sum is 0 in 32 bits
           Lie{40, 0},                   // nothing
           Lie{size, 0},                 // nothing, at the end
       }) {
    CAPTURE(offset);
    CAPTURE(length);
    UdevMessage message;
    message.properties_offset = offset;
    message.properties_length = length;
    CHECK_FALSE(udev_properties(bytes_of(message.bytes())));
  }
}

TEST_CASE("properties of udevd must end with NUL") {
  UdevMessage message;
  message.properties_length -= 1;
  CHECK_FALSE(udev_properties(bytes_of(message.bytes())));
}

TEST_CASE("a message of udevd cut anywhere is refused") {
  const auto whole = UdevMessage{}.bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    // A copy of just that size, so that AddressSanitizer sees a read beyond it.
    const std::vector<char> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(udev_properties(std::as_bytes(std::span(part))));
  }
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
