#pragma once

#include <cstdint>
#include <vector>

namespace hostbrick {

/** What a device has answered. */
using Bytes = std::vector<std::uint8_t>;

}  // namespace hostbrick
