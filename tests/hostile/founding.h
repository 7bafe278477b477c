// A genesis under which one verification node draws the lead in each of the first epochs, as long as all draw: so a
// test need not wait for chance.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"

namespace planetserve::hostile {

// Tries chain ids that begin with the genesis' own, and writes the genesis back. keys: of all validators, the one that
// is to lead first.
Status found_led_by_first(const std::filesystem::path& genesis, const std::vector<std::filesystem::path>& keys,
                          std::uint64_t epochs);

}  // namespace planetserve::hostile
