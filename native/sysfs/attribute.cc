#include "sysfs/attribute.h"

#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "core/file_descriptor.h"
#include "core/system_error.h"
#include "sysfs/directory.h"

namespace hostbrick {

namespace {

// One page is what the kernel gives for any text attribute; only binary ones such as VPD pages need a second read.
constexpr std::size_t chunk = 4096;
// The longest state file is /proc/self/mountinfo, which has some MiB on a host of many containers.
constexpr std::size_t limit = std::size_t{16} << 20;

enum class End { at_short_read, at_empty_read };

// Adds what the file holds to `out`; on failure `out` is as before.
int read_at(int directory, const char* path, GrowingBytes& out, End end) {
  const FileDescriptor file(::openat(directory, path, O_RDONLY | O_CLOEXEC));
  if (!file) return errno;
  const auto before = out.size();
  for (;;) {
    const auto result = ::read(file.get(), out.room(chunk), chunk);
    if (result < 0) {
      if (errno == EINTR) continue;
      const auto error = errno;
      out.truncate(before);
      return error;
    }
    const auto got = static_cast<std::size_t>(result);
    out.extend(got);
    if (out.size() - before > limit) {
      out.truncate(before);
      return EFBIG;
    }
    if (got == 0 || (got < chunk && end == End::at_short_read)) return 0;
  }
}

// What a device has goes with it: an attribute that is there no more, and one of whose device there is no more.
bool is_gone(int error) { return error == ENOENT || error == ENODEV; }

// The files that a pattern matches.
class Matches {
 public:
  explicit Matches(const std::string& pattern) {
    // glob(3) keeps to itself why it was refused.
    thread_local int refusal;
    // A folder that has gone has nothing that could match; of one that cannot be opened that is not known.
    const auto refused = [](const char*, int error) {
      refusal = error;
      return is_gone(error) ? 0 : 1;
    };
    const auto result = ::glob(pattern.c_str(), GLOB_NOSORT, refused, &found_);
    if (result == 0 || result == GLOB_NOMATCH) return;
    ::globfree(&found_);
    throw SystemError(result == GLOB_NOSPACE ? ENOMEM : refusal, "glob", pattern);
  }
  ~Matches() { ::globfree(&found_); }
  Matches(const Matches&) = delete;
  Matches& operator=(const Matches&) = delete;

  [[nodiscard]] std::span<const char* const> paths() const { return {found_.gl_pathv, found_.gl_pathc}; }

 private:
  glob_t found_{};
};

bool holds(const Expectation& expected) {
  const Matches matches(expected.pattern);
  return std::ranges::all_of(matches.paths(), [&expected](const char* path) {
    const auto content = read_if_there(path);
    return !content || *content == expected.content;
  });
}

void write_to(const FileDescriptor& file, const std::string& path, std::string_view value) {
  const auto written = ::write(file.get(), value.data(), value.size());
  if (written < 0) throw SystemError(errno, "write", path);
  if (static_cast<std::size_t>(written) != value.size()) throw SystemError(EIO, "write", path, "short write");
}

}  // namespace

int read_attribute_at(int directory, const char* path, GrowingBytes& out) {
  return read_at(directory, path, out, End::at_short_read);
}

std::string read_file(const std::string& path) {
  GrowingBytes content;
  if (const auto error = read_at(AT_FDCWD, path.c_str(), content, End::at_empty_read))
    throw SystemError(error, "read", path);
  return std::string(content.from(0));
}

std::vector<FileRead> read_files(const std::vector<std::string>& paths) {
  std::vector<FileRead> files(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    GrowingBytes content;
    files[i].error = read_at(AT_FDCWD, paths[i].c_str(), content, End::at_empty_read);
    files[i].content = content.from(0);
  }
  return files;
}

std::optional<std::string> read_if_there(const std::string& path) {
  auto [error, content] = read_files({path}).front();
  if (is_gone(error)) return std::nullopt;
  if (error != 0) throw SystemError(error, "read", path);
  return std::move(content);
}

std::vector<std::string> list_directory(const std::string& path) {
  const auto directory = open_directory(AT_FDCWD, path.c_str());
  if (!directory) throw SystemError(errno, "opendir", path);
  std::vector<std::string> names;
  const auto error = for_each_entry(directory, [&names](const dirent& entry) { names.emplace_back(entry.d_name); });
  if (error != 0) throw SystemError(error, "readdir", path);
  return names;
}

void write_attribute(const std::string& path, std::string_view value) {
  write_to(open_path(path, O_WRONLY), path, value);
}

void write_attribute_if(const std::vector<Expectation>& expected, const std::string& path, std::string_view value) {
  // Opened first, it is the attribute of whoever is looked at next, or of somebody who has gone by then: the kernel
  // answers ENODEV to what is written to that, and nobody who comes to the place later gets to hear of it.
  const auto file = open_path(path, O_WRONLY);
  if (!std::ranges::all_of(expected, holds)) throw SystemError(ESTALE, "write", path);
  write_to(file, path, value);
}

}  // namespace hostbrick
