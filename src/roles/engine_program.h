// Where llama-server is.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace planetserve::roles {

// bin/llama-server in $PLANETSERVE_ENGINE. The error not_found says what to do.
Result<std::filesystem::path> engine_program();

}  // namespace planetserve::roles
