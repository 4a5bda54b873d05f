#include "sysfs/plan.h"

#include <initializer_list>
#include <string>
#include <string_view>

#include "core/system_error.h"
#include "support.h"

namespace hostbrick::test {

namespace {

std::string words(std::initializer_list<std::string_view> list) {
  std::string text;
  for (const auto word : list) text.append(word).push_back('\0');
  return text;
}

}  // namespace

TEST_SUITE_BEGIN("plan");

TEST_CASE("is folders with their fields, and of no text none") {
  CHECK(read_plan({}).empty());
  const auto text = words({"class/block", "2", "size", "", "", "../../inquiry", "/target", "\nDEVTYPE=disk", "1",
                           "slaves", "", "", "class/a", "0", "0"});
  const auto folders = read_plan(text);
  REQUIRE(folders.size() == 2);
  const auto& [path, attributes, directories, entries] = folders[0];
  CHECK(path == "class/block");
  REQUIRE(attributes.size() == 2);
  CHECK(attributes[0].name == "size");
  CHECK(attributes[0].below.empty());
  CHECK(attributes[1].below == "/target");
  CHECK(attributes[1].when == "\nDEVTYPE=disk");
  REQUIRE(directories.size() == 1);
  CHECK(directories[0].name == "slaves");
  CHECK_FALSE(entries.has_value());
  CHECK(folders[1].path == "class/a");
  CHECK(folders[1].attributes.empty());
  CHECK(folders[1].directories.empty());

  // Wherever it is cut, but between folders.
  const auto whole = text.find("class/a");
  for (std::size_t length = 1; length < text.size(); ++length) {
    if (length != whole) CHECK_THROWS_AS(read_plan(text.substr(0, length)), SystemError);
  }
}

TEST_CASE("counts in digits, and no more fields than there are") {
  for (const auto* const count : {"", "x", "1x", "-1", "18446744073709551616", "18446744073709551615"}) {
    CHECK_THROWS_AS(read_plan(words({"class/a", count, "name", "", "", "0"})), SystemError);
  }
}

TEST_SUITE_END();

}  // namespace hostbrick::test
