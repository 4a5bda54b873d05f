// Whatever bytes arrive, what is read of them is as long as they are at most. The first four are the number of targets.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "core/system_error.h"
#include "dm/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint32_t count = 0;
  if (size < sizeof count) return 0;
  std::memcpy(&count, data, sizeof count);
  const auto answer = std::span(data, size).subspan(sizeof count);
  try {
    const auto targets = hostbrick::parse_map_targets(answer, count);
    if (targets.size() != count) std::abort();
    std::size_t read = 0;
    for (const auto& [type, parameters] : targets) read += type.size() + parameters.size() + 1;
    if (read > answer.size()) std::abort();
  } catch (const hostbrick::SystemError&) {
    return 0;
  }
  return 0;
}
