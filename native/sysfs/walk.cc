#include "sysfs/walk.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/file_descriptor.h"
#include "core/system_error.h"
#include "sysfs/attribute.h"
#include "sysfs/directory.h"

namespace hostbrick {

namespace {

// So many entries are worth a second thread.
constexpr std::size_t many = 64;

void put_bytes(GrowingBytes& out, std::string_view bytes) {
  out.append_integer(static_cast<std::int32_t>(bytes.size()));
  out.append(bytes);
}

// What follows "../../devices" in a link of a class; any other text as it is.
std::string_view path_of(std::string_view link) {
  constexpr std::string_view up = "../";
  constexpr std::string_view devices = "devices/";
  auto rest = link;
  while (rest.starts_with(up)) rest.remove_prefix(up.size());
  if (rest.size() == link.size() || !rest.starts_with(devices)) return link;
  rest.remove_prefix(devices.size() - 1);
  return rest;
}

// A length, or -errno, is known when what follows it has been written.
class Prefix {
 public:
  explicit Prefix(GrowingBytes& out) : out_(out), at_(out.size()) { out.append_integer(0); }
  void set(std::int32_t value) { out_.write_integer(at_, value); }
  [[nodiscard]] std::string_view content() const { return out_.from(at_ + sizeof(std::int32_t)); }
  void set_length() { set(static_cast<std::int32_t>(content().size())); }
  /** Takes back everything from the prefix on. */
  void retract() { out_.truncate(at_); }

 private:
  GrowingBytes& out_;
  std::size_t at_;
};

/** Where each field of an entry begins: made behind the entry's folder, and noted one by one. */
class Places {
 public:
  Places(GrowingBytes& out, std::size_t fields)
      : out_(out), start_(out.size() - sizeof(std::int32_t)), at_(out.size()) {
    for (std::size_t field = 0; field < fields; ++field) out.append_integer(0);
  }
  /** The next field begins here. */
  void note() {
    out_.write_integer(at_, static_cast<std::int32_t>(out_.size() - start_));
    at_ += sizeof(std::int32_t);
  }

 private:
  GrowingBytes& out_;
  std::size_t start_;
  std::size_t at_;
};

/** All that is read of the entries of one folder. */
class EntryReader {
 public:
  EntryReader(const WalkFolder& folder, std::size_t number, int directory)
      : folder_(folder), number_(number), directory_(directory) {}

  [[nodiscard]] GrowingBytes read(std::span<const std::string> names) const {
    GrowingBytes out;
    for (const auto& name : names) put_entry(out, name);
    return out;
  }

 private:
  // Adds nothing when the entry has vanished.
  void put_entry(GrowingBytes& out, const std::string& name) const {
    std::array<char, PATH_MAX> text;
    const auto length = ::readlinkat(directory_, name.c_str(), text.data(), text.size() - 1);
    if (length < 0) return;
    text[static_cast<std::size_t>(length)] = '\0';
    const std::string_view link(text.data(), static_cast<std::size_t>(length));
    // By the text: to follow a link the kernel would have to put it together once more.
    const FileDescriptor entry(::openat(directory_, text.data(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!entry) return;

    Prefix size(out);
    out.append_integer(static_cast<std::int32_t>(number_));
    Places places(out, folder_.attributes.size() + folder_.directories.size());
    put_bytes(out, name);
    put_bytes(out, path_of(link));
    if (put_fields(out, places, entry.get(), link)) {
      size.set_length();
    } else {
      size.retract();
    }
  }

  // False when the device has gone.
  [[nodiscard]] bool put_fields(GrowingBytes& out, Places& places, int entry, std::string_view link) const {
    std::string first;
    bool complete = true;
    for (const auto& attribute : folder_.attributes) {
      const auto is_first = &attribute == &folder_.attributes.front();
      places.note();
      if (!wanted(attribute, link, first)) {
        out.append_integer(-ENOENT);
        continue;
      }
      Prefix length(out);
      const auto error = read_attribute_at(entry, attribute.name.c_str(), out);
      if (error == 0) {
        if (is_first) first = length.content();
        length.set_length();
        continue;
      }
      length.set(-error);
      const auto gone = error == ENOENT || error == ENODEV;
      if (is_first && gone) return false;
      complete = complete && !gone;
    }
    for (const auto& directory : folder_.directories) {
      places.note();
      if (wanted(directory, link, first)) {
        put_directory(out, entry, directory.name.c_str());
      } else {
        out.append_integer(-ENOENT);
      }
    }
    return complete || ::faccessat(entry, folder_.attributes.front().name.c_str(), F_OK, 0) == 0;
  }

  static bool wanted(const WalkField& field, std::string_view link, std::string_view first) {
    const auto in = [](std::string_view text, const std::string& part) {
      return part.empty() || text.find(part) != std::string_view::npos;
    };
    return in(link, field.below) && in(first, field.when);
  }

  static void put_directory(GrowingBytes& out, int entry, const char* name) {
    const auto directory = open_directory(entry, name);
    if (!directory) return out.append_integer(-errno);
    Prefix count(out);
    std::int32_t names = 0;
    const auto error = for_each_entry(directory, [&](const dirent& found) {
      put_bytes(out, found.d_name);
      ++names;
    });
    if (error != 0) {
      count.retract();
      return out.append_integer(-error);
    }
    count.set(names);
  }

  const WalkFolder& folder_;
  std::size_t number_;
  int directory_;
};

std::vector<std::string> links_in(const FileDescriptor& directory, const std::string& path) {
  std::vector<std::string> names;
  const auto error = for_each_entry(directory, [&names](const dirent& found) {
    if (found.d_type == DT_LNK) names.emplace_back(found.d_name);
  });
  if (error != 0) throw SystemError(error, "readdir", path);
  return names;
}

// Begins to read on a thread of its own; nothing when none is to be had.
std::optional<std::future<GrowingBytes>> read_beside(const EntryReader& reader, std::span<const std::string> names) {
  try {
    return std::async(std::launch::async, [&reader, names] { return reader.read(names); });
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

// Two threads get through many entries faster than one. More are held up by the kernel's locks.
void read_entries(GrowingBytes& out, const EntryReader& reader, std::span<const std::string> names) {
  const auto half = names.size() < many ? names.size() : names.size() / 2;
  const auto rest = names.subspan(half);
  auto others = rest.empty() ? std::nullopt : read_beside(reader, rest);
  out.append(reader.read(names.first(half)).from(0));
  out.append((others ? others->get() : reader.read(rest)).from(0));
}

}  // namespace

/** A folder that is being walked. */
struct PartialWalk::OpenFolder {
  OpenFolder(const WalkFolder& folder, std::size_t number, FileDescriptor opened, const std::string& path)
      : directory(std::move(opened)),
        reader(folder, number, directory.get()),
        names(folder.entries ? *folder.entries : links_in(directory, path)) {}

  /** The next names, so many at most. */
  std::span<const std::string> take(std::size_t count) {
    const auto taken = std::span(names).subspan(begun, std::min(count, names.size() - begun));
    begun += taken.size();
    return taken;
  }
  [[nodiscard]] bool done() const { return begun == names.size(); }

  FileDescriptor directory;
  EntryReader reader;
  std::vector<std::string> names;
  std::size_t begun = 0;
};

PartialWalk::PartialWalk(std::string root, std::vector<WalkFolder> folders)
    : root_(std::move(root)), folders_(std::move(folders)) {}

PartialWalk::~PartialWalk() = default;

GrowingBytes PartialWalk::next(std::size_t entries) {
  if (!top_) {
    top_ = open_path(root_, O_PATH | O_DIRECTORY);
    open_next();
  }
  GrowingBytes out;
  while (entries > 0 && !done()) {
    const auto names = open_->take(entries);
    read_entries(out, open_->reader, names);
    entries -= names.size();
    if (!open_->done()) continue;
    ++number_;
    open_next();
  }
  return out;
}

bool PartialWalk::done() const { return number_ == folders_.size(); }

// Folders that do not exist, or have nothing in them, are passed by.
void PartialWalk::open_next() {
  for (; !done(); ++number_) {
    const auto& folder = folders_[number_];
    const auto path = root_ + "/" + folder.path;
    auto directory = open_directory(top_.get(), folder.path.c_str());
    if (!directory && errno == ENOENT) continue;
    if (!directory) throw SystemError(errno, "opendir", path);
    open_ = std::make_unique<OpenFolder>(folder, number_, std::move(directory), path);
    if (!open_->done()) return;
  }
  open_.reset();
}

GrowingBytes walk(const std::string& root, const std::vector<WalkFolder>& folders) {
  return PartialWalk(root, folders).next(std::numeric_limits<std::size_t>::max());
}

}  // namespace hostbrick
