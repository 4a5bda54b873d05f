#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <utility>

#include "core/event.h"
#include "core/file_descriptor.h"
#include "core/system_error.h"
#include "support.h"

namespace hostbrick::test {

namespace {

bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

FileDescriptor some_file() { return FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST_SUITE_BEGIN("core");

TEST_CASE("a file descriptor closes what it owns, once") {
  int number = -1;
  {
    auto file = some_file();
    number = file.get();
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));

  auto file = some_file();
  number = file.get();
  file.close();
  CHECK_FALSE(file);
  const auto next = some_file();
  CHECK(next.get() == number);
  file.close();
  CHECK(is_open(next.get()));
}

TEST_CASE("a file descriptor moves") {
  auto first = some_file();
  const auto number = first.get();
  FileDescriptor second(std::move(first));
  CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move): a moved-from descriptor is an empty one.
  CHECK(second.get() == number);

  auto third = some_file();
  const auto replaced = third.get();
  third = std::move(second);
  CHECK(third.get() == number);
  CHECK_FALSE(is_open(replaced));

  auto& same = third;
  third = std::move(same);
  CHECK(third.get() == number);
  CHECK(is_open(number));
}

TEST_CASE("a system error says which call failed on what") {
  const SystemError plain(ENOENT, "open");
  CHECK(plain.error() == ENOENT);
  CHECK(plain.operation() == "open");
  CHECK(plain.path().empty());
  CHECK(plain.detail().empty());
  CHECK(std::string(plain.what()).ends_with(", open"));

  const SystemError full(EIO, "SG_IO", "/dev/sda", "status 0x02");
  CHECK(full.path() == "/dev/sda");
  CHECK(full.detail() == "status 0x02");
  CHECK(std::string(full.what()).ends_with(", SG_IO '/dev/sda': status 0x02"));
}

TEST_CASE("open_path closes on exec and names the path that failed") {
  const auto file = open_path("/dev/null", O_RDONLY);
  CHECK((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);

  const auto failure = failure_of([] { open_path("/nowhere/at/all", O_RDONLY); });
  CHECK(failure.error() == ENOENT);
  CHECK(failure.operation() == "open");
  CHECK(failure.path() == "/nowhere/at/all");
}

TEST_CASE("an event stays readable once it is set") {
  Event event;
  pollfd polled{event.descriptor(), POLLIN, 0};
  CHECK(::poll(&polled, 1, 0) == 0);
  CHECK_FALSE(event.is_set());
  event.set();
  event.set();
  CHECK(event.is_set());
  CHECK(event.is_set());
  CHECK(::poll(&polled, 1, 0) == 1);
  CHECK(::poll(&polled, 1, 0) == 1);
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
