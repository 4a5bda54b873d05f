#include <scsi/sg.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "played_ioctl.h"
#include "scsi/command.h"
#include "support.h"

namespace hostbrick::test {

namespace {

using namespace std::chrono_literals;

// Plays a device that keeps the command it got and gives `answer`, of which it transfers `size` bytes.
class PlayedDevice {
 public:
  explicit PlayedDevice(Bytes answer, std::function<void(sg_io_hdr_t&)> mishap = {}) {
    played_ioctl = [this, answer = std::move(answer), mishap = std::move(mishap)](unsigned long request,
                                                                                  void* argument) {
      CHECK(request == SG_IO);
      auto& header = *static_cast<sg_io_hdr_t*>(argument);
      command = Bytes(header.cmdp, header.cmdp + header.cmd_len);
      allocation = header.dxfer_len;
      timeout = header.timeout;
      CHECK(header.interface_id == 'S');
      CHECK(header.dxfer_direction == SG_DXFER_FROM_DEV);
      const auto size = std::min<std::size_t>(answer.size(), header.dxfer_len);
      std::copy_n(answer.begin(), size, static_cast<std::uint8_t*>(header.dxferp));
      header.resid = static_cast<int>(header.dxfer_len - size);
      header.info = SG_INFO_OK;
      if (mishap) mishap(header);
      return 0;
    };
  }
  ~PlayedDevice() { played_ioctl = {}; }
  PlayedDevice(const PlayedDevice&) = delete;
  PlayedDevice& operator=(const PlayedDevice&) = delete;

  Bytes command;
  std::size_t allocation = 0;
  unsigned timeout = 0;
};

void refuse(sg_io_hdr_t& header, const Bytes& sense) {
  header.info = SG_INFO_CHECK;
  header.status = 0x02;
  std::ranges::copy(sense, header.sbp);
  header.sb_len_wr = static_cast<unsigned char>(sense.size());
}

// What a device says that does not know a page.
const Bytes unknown_page{0x70, 0, 0x05, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0x24, 0};

// What a device that refuses with this sense data becomes.
SystemError refusal(const Bytes& sense) {
  const PlayedDevice played({}, [&sense](sg_io_hdr_t& header) { refuse(header, sense); });
  return failure_of([] { inquire("/dev/null", 1s); });
}

TEST_SUITE_BEGIN("scsi");

TEST_CASE("what is no SCSI device is refused by the kernel") {
  const TemporaryFolder folder;
  const auto file = folder.write("file", "");
  const auto page = [](const std::string& path, std::chrono::milliseconds time) {
    return inquire_page(path, 0x83, time);
  };
  for (const std::function<Bytes(const std::string&, std::chrono::milliseconds)>& command :
       {std::function(&inquire), std::function(&report_luns), std::function(&read_capacity),
        std::function<Bytes(const std::string&, std::chrono::milliseconds)>(page)}) {
    for (const auto& path : {file, std::string("/dev/null")}) {
      const auto failure = failure_of([&] { command(path, 1s); });
      CHECK(failure.error() == ENOTTY);
      CHECK(failure.operation() == "SG_IO");
      CHECK(failure.path() == path);
    }
    const auto failure = failure_of([&] { command(folder / "missing", 1s); });
    CHECK(failure.error() == ENOENT);
    CHECK(failure.path() == folder / "missing");
  }
}

TEST_CASE("commands are laid out as the standards say") {
  PlayedDevice played({});
  inquire("/dev/null", 1500ms);
  CHECK(played.command == Bytes{0x12, 0, 0, 0, 96, 0});
  CHECK(played.allocation == 96);
  CHECK(played.timeout == 1500);

  inquire_page("/dev/null", 0x83, 1s);
  CHECK(played.command == Bytes{0x12, 1, 0x83, 0x10, 0, 0});
  CHECK(played.allocation == 4096);

  report_luns("/dev/null", 1s);
  CHECK(played.command == Bytes{0xa0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0});
  CHECK(played.allocation == 65536);

  read_capacity("/dev/null", 1s);
  CHECK(played.command == Bytes{0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0});
  CHECK(played.allocation == 32);
}

TEST_CASE("an answer is cut to what was transferred") {
  {
    const PlayedDevice played({1, 2, 3});
    CHECK(inquire("/dev/null", 1s) == Bytes{1, 2, 3});
  }
  {
    const PlayedDevice played(Bytes(200, 7));
    CHECK(inquire("/dev/null", 1s) == Bytes(96, 7));
  }
  for (const auto& [residue, size] : {std::pair(-1, 96U), std::pair(96, 0U), std::pair(97, 0U)}) {
    CAPTURE(residue);
    const PlayedDevice played(Bytes(96, 7), [residue = residue](sg_io_hdr_t& header) { header.resid = residue; });
    CHECK(inquire("/dev/null", 1s).size() == size);
  }
}

TEST_CASE("a refusal brings the device's own words") {
  const auto fixed = refusal({0x70, 0, 0x05, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0x01, 0, 0, 0, 0});
  CHECK(fixed.error() == EIO);
  CHECK(fixed.detail() == "status 0x02, host 0x00, driver 0x00, sense 5/24/01");
  // The key shares its byte with other flags.
  CHECK(refusal({0xf0, 0, 0xe6, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0x00}).detail().ends_with(", sense 6/29/00"));
  CHECK(refusal({0x72, 0x05, 0x25, 0x02, 0, 0, 0, 0}).detail().ends_with(", sense 5/25/02"));
  CHECK(refusal({0x73, 0x02, 0x04, 0x01, 0, 0, 0, 0}).detail().ends_with(", sense 2/04/01"));
}

TEST_CASE("sense data that is too short is left out or cut") {
  CHECK(refusal({}).detail() == "status 0x02, host 0x00, driver 0x00");
  CHECK(refusal({0x70, 0, 0x05}).detail() == "status 0x02, host 0x00, driver 0x00");
  CHECK(refusal({0x70, 0, 0x05, 0, 0, 0, 0, 0}).detail().ends_with(", sense 5/00/00"));
}

TEST_CASE("a transport's failure is told apart from a refusal") {
  const PlayedDevice played({}, [](sg_io_hdr_t& header) {
    header.info = SG_INFO_CHECK;
    header.host_status = 0x01;
    header.driver_status = 0x06;
  });
  const auto failure = failure_of([] { inquire("/dev/null", 1s); });
  CHECK(failure.error() == EIO);
  CHECK(failure.detail() == "status 0x00, host 0x01, driver 0x06");
}

TEST_CASE("a unit that does not know a question is asked the others") {
  const PlayedDevice played(Bytes(96, 7), [](sg_io_hdr_t& header) {
    if (header.cmdp[2] == 0x80) refuse(header, unknown_page);
  });
  const auto answers = identify("/dev/null", 1s);
  CHECK(answers.standard == Bytes(96, 7));
  CHECK(answers.page83 == Bytes(96, 7));
  CHECK(!answers.page80);
}

TEST_CASE("a unit is asked only while it is running") {
  const TemporaryFolder folder;
  const PlayedDevice played(Bytes(96, 7), [](sg_io_hdr_t&) {});
  const auto asked = [](const std::string& state) {
    return designators_if_running("/dev/null", state, 1s).has_value();
  };
  CHECK(asked(folder.write("running", "running\n")));
  CHECK_FALSE(asked(folder.write("blocked", "blocked\n")));
  CHECK_FALSE(asked(folder / "missing"));
  CHECK(failure_of([&] { asked(folder.path()); }).error() == EISDIR);
}

TEST_CASE("a unit that does not know page 0x83 has no designators") {
  const TemporaryFolder folder;
  const PlayedDevice played({}, [](sg_io_hdr_t& header) { refuse(header, unknown_page); });
  CHECK(designators_if_running("/dev/null", folder.write("running", "running\n"), 1s) == Bytes{});
}

TEST_CASE("a unit that cannot answer is none that does not know the question") {
  const PlayedDevice played({}, [](sg_io_hdr_t& header) {
    header.info = SG_INFO_CHECK;
    header.host_status = 0x01;
  });
  CHECK(failure_of([] { identify("/dev/null", 1s); }).error() == EIO);
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
