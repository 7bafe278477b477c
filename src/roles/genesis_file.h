// The genesis of a network, from its file.
#pragma once

#include <filesystem>

#include "committee/genesis.h"

namespace planetserve::roles {

// The error names the file.
Result<committee::Genesis> read_genesis(const std::filesystem::path& file);

}  // namespace planetserve::roles
