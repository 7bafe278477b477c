// Where llama-server is.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace planetserve::roles {

// In $PLANETSERVE_ENGINE. not_found says what to do.
Result<std::filesystem::path> engine_program();

}  // namespace planetserve::roles
