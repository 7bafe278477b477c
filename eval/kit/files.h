// Files that are whole or not there, and folders for a while.
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

// A folder of its own that goes with this. Its path is short, as that of a unix socket in it has to be.
class TemporaryFolder {
public:
    TemporaryFolder();  // throws std::runtime_error
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::filesystem::path path;
};

}  // namespace planetserve::eval
