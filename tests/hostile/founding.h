// Makes a genesis under which one verification node leads each of the first epochs, as long as all draw. So a test need
// not wait for chance.
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"

namespace planetserve::hostile {

// Tries chain ids that begin with the chain id of the genesis, and writes the genesis back. keys: key files of all
// validators, the future leader's first.
Status found_led_by_first(const std::filesystem::path& genesis, const std::vector<std::filesystem::path>& keys,
                          std::uint64_t epochs);

}  // namespace planetserve::hostile
