#include "network/addresses.h"

#include <algorithm>
#include <string>

#include "support.h"

namespace hostbrick::test {

namespace {

TEST_SUITE_BEGIN("addresses");

TEST_CASE("this host's own are addresses, and not those of the loopback interface") {
  for (const auto& address : own_addresses()) {
    CAPTURE(address);
    CHECK_FALSE(address.starts_with("127."));
    CHECK(address != "::1");
    CHECK(address.find_first_not_of("0123456789abcdef.:") == std::string::npos);
  }
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
