#include "sysfs/walk.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support.h"

namespace hostbrick::test {

namespace {

struct Attribute {
  int error = 0;
  std::string value;
};

struct Listing {
  int error = 0;
  std::vector<std::string> names;
};

struct Entry {
  std::string path;
  std::vector<Attribute> attributes;
  std::vector<Listing> directories;
};

using Entries = std::map<std::pair<std::size_t, std::string>, Entry>;

// Reads the format that sysfs/walk.h describes.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  Entries read(const std::vector<WalkFolder>& folders) {
    Entries entries;
    while (!rest_.empty()) {
      const auto size = integer();
      REQUIRE(size > 0);
      const auto end = rest_.substr(static_cast<std::size_t>(size));
      const auto* const start = rest_.data();
      const auto number = static_cast<std::size_t>(integer());
      const auto& folder = folders.at(number);
      std::vector<std::int32_t> places(folder.attributes.size() + folder.directories.size());
      for (auto& place : places) place = integer();
      auto name = text();
      Entry entry{.path = text(), .attributes = {}, .directories = {}};
      auto next = places.begin();
      for (std::size_t i = 0; i < folder.attributes.size(); ++i) {
        REQUIRE(rest_.data() - start == *next++);
        entry.attributes.push_back(attribute());
      }
      for (std::size_t i = 0; i < folder.directories.size(); ++i) {
        REQUIRE(rest_.data() - start == *next++);
        entry.directories.push_back(listing());
      }
      REQUIRE(rest_.data() == end.data());
      REQUIRE(entries.emplace(std::pair(number, std::move(name)), std::move(entry)).second);
    }
    return entries;
  }

 private:
  std::string_view take(std::size_t size) {
    REQUIRE(size <= rest_.size());
    const auto bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::int32_t integer() {
    std::uint32_t bits = 0;
    const auto bytes = take(4);
    for (auto i = bytes.size(); i-- > 0;) bits = bits << 8U | static_cast<unsigned char>(bytes[i]);
    return static_cast<std::int32_t>(bits);
  }

  std::string text() {
    const auto size = integer();
    REQUIRE(size >= 0);
    return std::string(take(static_cast<std::size_t>(size)));
  }

  Attribute attribute() {
    const auto size = integer();
    if (size < 0) return {.error = -size, .value = {}};
    return {.error = 0, .value = std::string(take(static_cast<std::size_t>(size)))};
  }

  Listing listing() {
    const auto count = integer();
    if (count < 0) return {.error = -count, .names = {}};
    Listing found;
    for (auto i = 0; i < count; ++i) found.names.push_back(text());
    std::ranges::sort(found.names);
    return found;
  }

  std::string_view rest_;
};

std::vector<WalkField> fields(const auto&... names) { return {WalkField{names, "", ""}...}; }

// A folder tree like sysfs: devices/, and class/ with symlinks to them.
class Tree {
 public:
  /** Adds a device at `place` below devices/ and its link in `folder`. */
  void add(const std::string& folder, const std::string& name, const std::string& place) const {
    const auto device = root_.path() / "devices" / place;
    std::filesystem::create_directories(device);
    link(folder, name, "../../devices/" + place);
  }

  void link(const std::string& folder, const std::string& name, const std::string& target) const {
    std::filesystem::create_directories(root_.path() / folder);
    std::filesystem::create_symlink(target, root_.path() / folder / name);
  }

  void write(const std::string& path, std::string_view content) const { root_.write("devices/" + path, content); }

  [[nodiscard]] Entries walk(const std::vector<WalkFolder>& folders) const {
    const auto bytes = hostbrick::walk(root_.path(), folders);
    return Reader(bytes.from(0)).read(folders);
  }

  [[nodiscard]] const std::filesystem::path& root() const { return root_.path(); }

 private:
  TemporaryFolder root_;
};

TEST_SUITE_BEGIN("walk");

TEST_CASE("reads the attributes and directories of every entry") {
  const Tree tree;
  tree.add("class/block", "sda", "host0/block/sda");
  tree.write("host0/block/sda/size", "2048\n");
  tree.write("host0/block/sda/device/vpd_pg83", std::string("\0\x83\0\xff", 4));
  tree.write("host0/block/sda/holders/dm-0", "");
  tree.write("host0/block/sda/holders/dm-1", "");
  tree.add("class/block", "sdb", "host1/block/sdb");
  tree.write("host1/block/sdb/size", "4096\n");
  std::filesystem::create_directories(tree.root() / "devices/host1/block/sdb/holders");

  const auto entries = tree.walk({{"class/block", fields("size", "device/vpd_pg83"), fields("holders", "slaves"), {}}});
  REQUIRE(entries.size() == 2);
  const auto& sda = entries.at({0, "sda"});
  CHECK(sda.path == "/host0/block/sda");
  CHECK(sda.attributes[0].value == "2048\n");
  CHECK(sda.attributes[1].value == std::string("\0\x83\0\xff", 4));
  CHECK(sda.directories[0].names == std::vector<std::string>{"dm-0", "dm-1"});
  CHECK(sda.directories[1].error == ENOENT);
  const auto& sdb = entries.at({0, "sdb"});
  CHECK(sdb.attributes[0].value == "4096\n");
  CHECK(sdb.attributes[1].error == ENOENT);
  CHECK(sdb.directories[0].error == 0);
  CHECK(sdb.directories[0].names.empty());
}

TEST_CASE("numbers the folders as they were asked for and passes over missing ones") {
  const Tree tree;
  tree.add("class/block", "sda", "sda");
  tree.add("class/scsi_host", "host0", "host0");
  const auto entries =
      tree.walk({{"class/nvme", {}, {}, {}}, {"class/scsi_host", {}, {}, {}}, {"class/block", {}, {}, {}}});
  REQUIRE(entries.size() == 2);
  CHECK(entries.contains({1, "host0"}));
  CHECK(entries.contains({2, "sda"}));
  CHECK(tree.walk({}).empty());
}

TEST_CASE("an attribute that cannot be read says why") {
  const Tree tree;
  tree.add("class/block", "sda", "sda");
  tree.write("sda/size", "1\n");
  tree.write("sda/queue/scheduler", "none\n");
  tree.write("sda/big", std::string((16U << 20U) + 1, 'x'));
  const auto entries = tree.walk({{"class/block", fields("size", "queue", "big", "size/below"), fields("size"), {}}});
  const auto& attributes = entries.at({0, "sda"}).attributes;
  CHECK(attributes[0].error == 0);
  CHECK(attributes[1].error == EISDIR);
  CHECK(attributes[2].error == EFBIG);
  CHECK(attributes[3].error == ENOTDIR);
  CHECK(entries.at({0, "sda"}).directories[0].error == ENOTDIR);
}

TEST_CASE("an empty attribute is not a missing one") {
  const Tree tree;
  tree.add("class/block", "sda", "sda");
  tree.write("sda/serial", "");
  const auto entries = tree.walk({{"class/block", fields("serial"), {}, {}}});
  CHECK(entries.at({0, "sda"}).attributes[0].error == 0);
  CHECK(entries.at({0, "sda"}).attributes[0].value.empty());
}

TEST_CASE("asks only entries in the right place for a field with `below`") {
  const Tree tree;
  for (const std::string name : {"sda", "nvme0n1"}) {
    const auto place = (name == "sda" ? "host0/" : "virtual/nvme-subsystem/") + name;
    tree.add("class/block", name, place);
    tree.write(place + "/size", "1\n");
    tree.write(place + "/wwid", name);
    tree.write(place + "/holders/dm-0", "");
  }
  const auto entries = tree.walk(
      {{"class/block", {{"size", "", ""}, {"wwid", "/nvme-subsystem/", ""}}, {{"holders", "/host", ""}}, {}}});
  CHECK(entries.at({0, "sda"}).attributes[0].value == "1\n");
  CHECK(entries.at({0, "sda"}).attributes[1].error == ENOENT);
  CHECK(entries.at({0, "sda"}).directories[0].names.size() == 1);
  CHECK(entries.at({0, "nvme0n1"}).attributes[1].value == "nvme0n1");
  CHECK(entries.at({0, "nvme0n1"}).directories[0].error == ENOENT);
}

TEST_CASE("asks only entries whose first attribute says so for a field with `when`") {
  const Tree tree;
  for (const std::string name : {"sda", "sda1"}) {
    tree.add("class/block", name, "host0/" + name);
    tree.write("host0/" + name + "/uevent", name == "sda" ? "DEVTYPE=disk\n" : "DEVTYPE=partition\n");
    tree.write("host0/" + name + "/wwid", name);
    tree.write("host0/" + name + "/slaves/sdb", "");
  }
  const auto entries =
      tree.walk({{"class/block", {{"uevent", "", ""}, {"wwid", "", "=disk"}}, {{"slaves", "", "=disk"}}, {}}});
  CHECK(entries.at({0, "sda"}).attributes[1].value == "sda");
  CHECK(entries.at({0, "sda"}).directories[0].names.size() == 1);
  CHECK(entries.at({0, "sda1"}).attributes[1].error == ENOENT);
  CHECK(entries.at({0, "sda1"}).directories[0].error == ENOENT);
}

TEST_CASE("reads many entries in two threads, each once") {
  const Tree tree;
  std::vector<WalkFolder> folders{{"class/block", fields("size"), {}, {}}};
  for (int i = 0; i < 201; ++i) {
    const auto name = "sd" + std::to_string(i);
    tree.add("class/block", name, name);
    tree.write(name + "/size", name);
  }
  const auto entries = tree.walk(folders);
  CHECK(entries.size() == 201);
  for (const auto& [key, entry] : entries) CHECK(entry.attributes[0].value == key.second);
}

TEST_CASE("reads only the entries that were asked for, and of them those that there are") {
  const Tree tree;
  for (const std::string name : {"sda", "sdb", "sdc"}) {
    tree.add("class/block", name, name);
    tree.write(name + "/size", "1\n");
  }
  const std::vector<std::string> names{"sdb", "sdx"};
  const auto entries = tree.walk({{"class/block", fields("size"), {}, names}});
  REQUIRE(entries.size() == 1);
  CHECK(entries.contains({0, "sdb"}));
  CHECK(tree.walk({{"class/block", fields("size"), {}, std::vector<std::string>{}}}).empty());
}

TEST_CASE("reads the same in parts, each of so many entries at most") {
  const Tree tree;
  for (int i = 0; i < 5; ++i) {
    const auto name = "sd" + std::to_string(i);
    tree.add(i < 2 ? "class/nvme" : "class/block", name, name);
    tree.write(name + "/size", name);
  }
  std::filesystem::create_directories(tree.root() / "class/empty");
  const WalkFolder absent{"class/absent", fields("size"), {}, {}};
  const WalkFolder empty{"class/empty", fields("size"), {}, {}};
  const std::vector<WalkFolder> folders{
      absent, {"class/nvme", fields("size"), {}, {}}, empty, {"class/block", fields("size"), {}, {}}, empty, absent};

  PartialWalk walk(tree.root(), folders);
  std::string bytes;
  std::vector<std::size_t> sizes;
  while (!walk.done()) {
    const auto part = walk.next(3);
    sizes.push_back(Reader(part.from(0)).read(folders).size());
    bytes += part.from(0);
  }
  CHECK(sizes == std::vector<std::size_t>{3, 2});
  CHECK(bytes == hostbrick::walk(tree.root(), folders).from(0));
  CHECK(walk.next(3).size() == 0);

  PartialWalk nothing(tree.root(), {absent, empty});
  CHECK(nothing.next(3).size() == 0);
  CHECK(nothing.done());
}

TEST_CASE("leaves out entries that vanish") {
  const Tree tree;
  tree.add("class/block", "here", "here");
  tree.write("here/size", "1\n");
  // Removed between readdir and open: its link leads nowhere.
  tree.link("class/block", "dangling", "../../devices/gone");
  // Removed while it is read: all its attributes are gone, the first one too.
  tree.add("class/block", "emptied", "emptied");
  tree.write("emptied/wwid", "1\n");
  const auto entries = tree.walk({{"class/block", fields("size", "wwid"), {}, {}}});
  REQUIRE(entries.size() == 1);
  CHECK(entries.contains({0, "here"}));
}

TEST_CASE("takes only symlinks to folders for entries") {
  const Tree tree;
  tree.add("class/block", "sda", "sda");
  std::filesystem::create_directories(tree.root() / "class/block/folder");
  std::ofstream(tree.root() / "class/block/file") << "1\n";
  tree.write("file", "");
  tree.link("class/block", "link-to-file", "../../devices/file");
  CHECK(tree.walk({{"class/block", {}, {}, {}}}).size() == 1);
}

TEST_CASE("a folder or root that cannot be read is an error") {
  const Tree tree;
  tree.add("class/block", "sda", "sda");
  tree.write("file", "");
  auto failure = failure_of([&] { walk(tree.root(), {{"devices/file", {}, {}, {}}}); });
  CHECK(failure.error() == ENOTDIR);
  CHECK(failure.path() == (tree.root() / "devices/file").string());
  failure = failure_of([&] { walk(tree.root() / "missing", {}); });
  CHECK(failure.error() == ENOENT);
  CHECK(failure.path() == (tree.root() / "missing").string());
}

TEST_CASE("reads this host's sysfs") {
  if (!std::filesystem::exists("/sys/class/mem/null")) return skip("no sysfs here");
  const std::vector<WalkFolder> folders{{"class/mem", fields("dev"), fields("power"), {}}};
  const auto bytes = walk("/sys", folders);
  const auto entries = Reader(bytes.from(0)).read(folders);
  const auto& null = entries.at({0, "null"});
  CHECK(null.path.ends_with("/virtual/mem/null"));
  CHECK(null.attributes[0].value == "1:3\n");
}

TEST_SUITE_END();

}  // namespace

}  // namespace hostbrick::test
