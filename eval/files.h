// Files that are whole or not there.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace planetserve::eval {

// Writes to PATH.part and renames it.
Status write_file(const std::filesystem::path& path, std::string_view content);

// invalid_argument when it is larger than the limit.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit);

}  // namespace planetserve::eval
