// Small files of the node's own, read and written whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace planetserve {

inline constexpr std::size_t usual_file_limit = 1 << 20;  // bytes

// Writes a file whole or not at all: into a temporary file beside it, which then takes its name. Makes the folder.
Status write_file(const std::filesystem::path& file, const std::string& content);
// The same for a secret: nobody but the owner reads it, and it is on the disk when this returns. The folder must exist.
// What an earlier attempt left beside it is not written into: it may be readable by others.
Status write_private_file(const std::filesystem::path& file, std::string_view content);
// io: the file cannot be read. exhausted: it is larger than `maximum` bytes.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t maximum = usual_file_limit);

}  // namespace planetserve
