#include "network/resolve.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "support.h"

namespace hostbrick::test {

namespace {

TEST_SUITE_BEGIN("resolve");

TEST_CASE("an address is its own") {
  CHECK(resolve_host("127.0.0.1") == std::vector<std::string>{"127.0.0.1"});
  CHECK(resolve_host("::1") == std::vector<std::string>{"::1"});
  CHECK(resolve_host("2001:DB8:0:0::0001") == std::vector<std::string>{"2001:db8::1"});
}

TEST_CASE("localhost is this host, each address once") {
  auto addresses = resolve_host("localhost");
  CHECK_FALSE(addresses.empty());
  for (const auto& address : addresses) CHECK((address.starts_with("127.") || address == "::1"));
  std::ranges::sort(addresses);
  CHECK(std::ranges::adjacent_find(addresses) == addresses.end());
}

TEST_CASE("a name that nobody knows is an error") {
  const auto failure = failure_of([] { resolve_host("no-such-host.invalid"); });
  // Without a network nobody can tell that the name does not exist.
  CHECK((failure.error() == ENOENT || failure.error() == EAGAIN));
  CHECK(failure.operation() == "getaddrinfo");
  CHECK(failure.path() == "no-such-host.invalid");
  CHECK_FALSE(failure.detail().empty());
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
