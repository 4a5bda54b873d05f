#include "sysfs/walk.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/file_descriptor.h"
#include "core/system_error.h"
#include "sysfs/attribute.h"
#include "sysfs/directory.h"

namespace hostbrick {

namespace {

void put_integer(std::string& out, std::int32_t value) {
  const auto bits = static_cast<std::uint32_t>(value);
  for (unsigned shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(bits >> shift & 0xffU));
}

void put_bytes(std::string& out, std::string_view bytes) {
  put_integer(out, static_cast<std::int32_t>(bytes.size()));
  out.append(bytes);
}

std::optional<std::string> read_link(int directory, const char* name) {
  std::array<char, PATH_MAX> text;
  const auto size = ::readlinkat(directory, name, text.data(), text.size());
  if (size < 0) return std::nullopt;
  return std::string(text.data(), static_cast<std::size_t>(size));
}

void put_directory(std::string& out, int entry, const char* name) {
  const auto directory = open_directory(entry, name);
  if (!directory) return put_integer(out, -errno);
  std::string names;
  std::int32_t count = 0;
  while (const auto* const found = next_entry(directory)) {
    put_bytes(names, found->d_name);
    ++count;
  }
  if (errno != 0) return put_integer(out, -errno);
  put_integer(out, count);
  out += names;
}

bool wanted(const WalkField& field, const std::string& link) {
  return field.below.empty() || link.find(field.below) != std::string::npos;
}

// Adds nothing when the entry has vanished.
void put_entry(std::string& out, std::size_t number, const WalkFolder& folder, int parent, const char* name) {
  const auto link = read_link(parent, name);
  if (!link) return;
  const FileDescriptor entry(::openat(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!entry) return;

  std::vector<std::string> values(folder.attributes.size());
  std::vector<int> errors(folder.attributes.size(), ENOENT);
  for (auto i = values.size(); i-- > 0;) {
    const auto& attribute = folder.attributes[i];
    if (wanted(attribute, *link)) errors[i] = read_attribute_at(entry.get(), attribute.name.c_str(), values[i]);
  }
  if (!errors.empty() && (errors.front() == ENOENT || errors.front() == ENODEV)) return;

  out.push_back(static_cast<char>(number));
  put_bytes(out, name);
  put_bytes(out, *link);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (errors[i] == 0) {
      put_bytes(out, values[i]);
    } else {
      put_integer(out, -errors[i]);
    }
  }
  for (const auto& directory : folder.directories) {
    if (wanted(directory, *link)) {
      put_directory(out, entry.get(), directory.name.c_str());
    } else {
      put_integer(out, -ENOENT);
    }
  }
}

}  // namespace

std::string walk(const std::string& root, const std::vector<WalkFolder>& folders) {
  std::string out;
  const auto top = open_path(root, O_PATH | O_DIRECTORY);
  for (std::size_t number = 0; number < folders.size(); ++number) {
    const auto& folder = folders[number];
    const auto directory = open_directory(top.get(), folder.path.c_str());
    if (!directory) {
      if (errno == ENOENT) continue;
      throw SystemError(errno, "opendir", root + "/" + folder.path);
    }
    while (const auto* const found = next_entry(directory)) {
      if (found->d_type == DT_LNK) put_entry(out, number, folder, ::dirfd(directory.get()), found->d_name);
    }
    if (errno != 0) throw SystemError(errno, "readdir", root + "/" + folder.path);
  }
  return out;
}

}  // namespace hostbrick
