#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nvme/admin.h"
#include "nvme/fabrics.h"
#include "nvme/kernel_log.h"
#include "played_ioctl.h"
#include "support.h"

namespace hostbrick::test {

namespace {

using namespace std::chrono_literals;

// Plays a controller that keeps the command it got, fills its answer with sevens and ends with `result`.
class PlayedController {
 public:
  explicit PlayedController(int result = 0) {
    played_ioctl = [this, result](unsigned long asked, void* argument) {
      request = asked;
      if (asked != NVME_IOCTL_ADMIN_CMD) return result;
      command = *static_cast<nvme_passthru_cmd*>(argument);
      std::fill_n(reinterpret_cast<std::uint8_t*>(command.addr), command.data_len, std::uint8_t{7});
      return result;
    };
  }
  ~PlayedController() { played_ioctl = {}; }
  PlayedController(const PlayedController&) = delete;
  PlayedController& operator=(const PlayedController&) = delete;

  unsigned long request = 0;
  nvme_passthru_cmd command{};
};

int reply_error(std::string_view reply) {
  return failure_of([&] { (void)parse_fabrics_reply(reply); }).error();
}

TEST_SUITE_BEGIN("nvme");

TEST_CASE("the kernel's answer to a connect is read") {
  const auto controller = parse_fabrics_reply("instance=12,cntlid=65519\n");
  CHECK(controller.instance == 12);
  CHECK(controller.controller_id == 65519);
  CHECK(parse_fabrics_reply("instance=0,cntlid=0").instance == 0);
}

TEST_CASE("what is no answer to a connect is refused") {
  for (const std::string_view reply :
       {"", "\n", ",", "instance=1", "instance=1,", "instance=,cntlid=1", "instance=1,cntlid=",
        "instance=-1,cntlid=-1\n", "instance=1,cntlid=1,x=2", "instance=1,cntlid=1\n\n", "instance=1 ,cntlid=1",
        "cntlid=1,instance=1", "instance=0x1,cntlid=1", "instance=4294967296,cntlid=1", "instance=1,cntlid=1\nx"}) {
    CAPTURE(reply);
    CHECK(reply_error(reply) == EBADMSG);
  }
  const std::string whole = "instance=12,cntlid=34";
  for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
    CAPTURE(size);
    // A copy of just that size, so that AddressSanitizer sees a read beyond it.
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK(reply_error({cut.data(), cut.size()}) == EBADMSG);
  }
}

TEST_CASE("a host without NVMe over Fabrics says so") {
  if (std::filesystem::exists("/dev/nvme-fabrics")) return skip("this host has NVMe over Fabrics");
  for (const std::function<void()>& verb : std::vector<std::function<void()>>{
           [] { (void)fabrics_options(); },
           [] { (void)connect_fabrics("transport=tcp,dhchap_secret=hidden"); },
       }) {
    const auto failure = failure_of(verb);
    CHECK(failure.error() == ENOENT);
    CHECK(failure.path() == "/dev/nvme-fabrics");
    CHECK(std::string_view(failure.what()).find("hidden") == std::string_view::npos);
  }
}

TEST_CASE("the kernel's records are told from those of programs") {
  CHECK(kernel_text("3,812,90817,-;nvme nvme0: Connect rejected\n") == "nvme nvme0: Connect rejected");
  CHECK(kernel_text("6,1,2,-,caller=T1;text; with, signs\n SUBSYSTEM=nvme\n DEVICE=c240:0\n") == "text; with, signs");
  CHECK(kernel_text("0,1,2,-;") == "");
  for (const std::string_view record : {"30,812,90817,-;systemd: hello\n", "8,1,2,-;user", "", "3", "3,", "3;x", ";x",
                                        "x,1;y", "-1,2,3,-;x", "99999999999,1,2,-;x", "3,812,90817,-"}) {
    CAPTURE(record);
    CHECK(kernel_text(record) == std::nullopt);
  }
}

TEST_CASE("the reason of a failed connect is what the drivers say, but not of other controllers, and no secret") {
  const std::vector<std::string> texts{
      "nvme nvme1: failed to connect: -111",
      "sd 0:0:0:0: [sda] Attached SCSI disk",
      "nvme nvme10: Connect rejected",
      "nvme nvme0: qid 0: authentication failed",
      "nvme_fabrics: unknown parameter or missing value 'dhchap_secret=hidden' in ctrl creation request",
      "nvme_fabrics: no handler found for transport loop",
  };
  const auto* const options = "transport=loop,dhchap_secret=hidden,nqn=x";
  CHECK(reason_in(texts, options, {"nvme0", "nvme1"}) ==
        "nvme nvme10: Connect rejected; nvme_fabrics: no handler found for transport loop");
  CHECK(reason_in(texts, options, {"nvme10"}) ==
        "nvme nvme1: failed to connect: -111; nvme nvme0: qid 0: authentication failed; "
        "nvme_fabrics: no handler found for transport loop");
  CHECK(reason_in({}, options, {}).empty());
}

TEST_CASE("what is no controller is refused by the kernel") {
  for (const std::function<void(const std::string&)>& verb : std::vector<std::function<void(const std::string&)>>{
           [](const std::string& device) { (void)identify_nvme(device, 1, 0, 1s); },
           [](const std::string& device) { (void)log_page(device, {0x70, 0, 0, 1024}, 1s); },
           [](const std::string& device) { rescan_controller(device); },
       }) {
    CHECK(failure_of([&] { verb("/dev/null"); }).error() == ENOTTY);
    CHECK(failure_of([&] { verb("/dev/null"); }).path() == "/dev/null");
    CHECK(failure_of([&] { verb("/dev/hostbrick-none"); }).error() == ENOENT);
  }
}

TEST_CASE("commands are laid out as the specification says") {
  const PlayedController played;
  CHECK(identify_nvme("/dev/null", 0x02, 9, 1500ms) == Bytes(4096, 7));
  CHECK(played.command.opcode == 0x06);
  CHECK(played.command.flags == 0);
  CHECK(played.command.nsid == 9);
  CHECK(played.command.cdw10 == 0x02);
  CHECK(played.command.cdw11 == 0);
  CHECK(played.command.timeout_ms == 1500);

  CHECK(log_page("/dev/null", {0x0c, 1, 0x1'2345'6780, 0x50000}, 1s) == Bytes(0x50000, 7));
  CHECK(played.command.opcode == 0x02);
  CHECK(played.command.nsid == 0xffffffff);
  CHECK(played.command.cdw10 == 0x3fff'810cU);  // 0x14000 words less one; the event stays pending
  CHECK(played.command.cdw11 == 1);
  CHECK(played.command.cdw12 == 0x2345'6780U);
  CHECK(played.command.cdw13 == 1);

  rescan_controller("/dev/null");
  CHECK(played.request == NVME_IOCTL_RESCAN);
}

TEST_CASE("a log page that no command can ask for is refused before the kernel is asked") {
  const PlayedController played;
  for (const auto& [offset, length] : {std::pair{0ULL, 0U}, {0, 3}, {2, 4}, {0, (1U << 20) + 4}, {0, 0xfffffffcU}}) {
    CAPTURE(length);
    const LogPage page{0x70, 0, offset, length};
    CHECK(failure_of([&] { (void)log_page("/dev/null", page, 1s); }).error() == EINVAL);
  }
  CHECK(played.request == 0);
}

TEST_CASE("what the controller says is told from what the kernel says") {
  {
    const PlayedController played(0x400b);
    const auto failure = failure_of([] { (void)identify_nvme("/dev/null", 0, 1, 1s); });
    CHECK(failure.error() == EIO);
    CHECK(failure.detail() == "status 0/0b, do not retry");
  }
  {
    const PlayedController played(0x0303);
    CHECK(failure_of([] { (void)identify_nvme("/dev/null", 0, 1, 1s); }).detail() == "status 3/03");
  }
  {
    const PlayedController played(-EINTR);
    const auto failure = failure_of([] { (void)identify_nvme("/dev/null", 0, 1, 1s); });
    CHECK(failure.error() == EINTR);
    CHECK(failure.detail().empty());
  }
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
