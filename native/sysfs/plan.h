#pragma once

#include <string_view>
#include <vector>

#include "sysfs/walk.h"

namespace hostbrick {

/**
 * Reads what a walk is to read out of one text, as lib/inventory/walk-plan.ts writes it:
 *
 *     plan   = folder*
 *     folder = path attributes directories
 *     attributes, directories = count field{count}
 *     field  = name below when
 *
 * each of them a word that NUL ends. Throws SystemError EINVAL for any other text.
 */
std::vector<WalkFolder> read_plan(std::string_view text);

}  // namespace hostbrick
