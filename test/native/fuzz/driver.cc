// Stands in for libFuzzer where the compiler has none: changes the seeds at random, always the same way for one seed.
// Takes those of libFuzzer's options that the build uses: -seed=N -runs=N folder...

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  Bytes mutate(std::span<const Bytes> seeds) {
    auto bytes = seeds[below(seeds.size())];
    for (auto changes = 1 + below(6); changes > 0; --changes) change(bytes);
    return bytes;
  }

 private:
  void change(Bytes& bytes) {
    const auto at = below(bytes.size() + 1);
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(5)) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.insert(place, static_cast<std::uint8_t>(below(256)));
        break;
      case 2:
        if (place != bytes.end()) bytes.erase(place);
        break;
      case 3:
        if (place != bytes.end()) *place = static_cast<std::uint8_t>(below(256));
        break;
      default:
        put_number(bytes, at / 4 * 4);
    }
  }

  // A 32-bit number of the kind that lengths and offsets go wrong with, where such numbers lie.
  void put_number(Bytes& bytes, std::size_t at) {
    if (bytes.size() < at + sizeof(std::uint32_t)) return;
    const auto size = static_cast<std::uint32_t>(bytes.size());
    const std::array numbers{0U,          1U,          size - 1,
                             size,        size + 1,    0x7fffffffU,
                             0x80000000U, 0xffffffffU, static_cast<std::uint32_t>(below(size + 2))};
    const auto number = numbers[below(numbers.size())];
    std::memcpy(&bytes[at], &number, sizeof number);
  }

  // Not a distribution of the library's: their results differ from one library to the next.
  std::size_t below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }

  std::mt19937_64 random_;
};

std::vector<Bytes> read_seeds(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths(std::filesystem::directory_iterator(folder), {});
  std::ranges::sort(paths);
  std::vector<Bytes> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

bool take_option(std::string_view argument, std::string_view name, std::uint64_t& value) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  return std::from_chars(argument.data(), argument.data() + argument.size(), value).ec == std::errc();
}

}  // namespace

int main(int count, char** arguments) {
  std::uint64_t seed = 1;
  std::uint64_t runs = 0;
  std::vector<Bytes> seeds{{}};
  for (const std::string_view argument : std::span(arguments, static_cast<std::size_t>(count)).subspan(1)) {
    if (take_option(argument, "-seed=", seed) || take_option(argument, "-runs=", runs)) continue;
    std::ranges::move(read_seeds(argument), std::back_inserter(seeds));
  }
  for (const auto& bytes : seeds) LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  Mutator mutator(seed);
  for (std::uint64_t run = 0; run < runs; ++run) {
    auto bytes = mutator.mutate(seeds);
    bytes.shrink_to_fit();  // AddressSanitizer sees a read beyond the end then.
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%zu seeds, %ju runs\n", seeds.size(), static_cast<std::uintmax_t>(runs));
}
