// Files of a program that runs as a child: the log that it writes, and a place for its sockets.
#pragma once

#include <filesystem>

namespace planetserve::adapters {

// Renames a log of more than 16 MiB to LOG.1, in place of an earlier one. Call it before the program starts.
void put_log_by(const std::filesystem::path& log);

// True when a unix socket can have this path; Linux allows 107 bytes.
bool fits_socket(const std::filesystem::path& socket);
// Makes a folder in XDG_RUNTIME_DIR or /tmp that only this user can enter, for a socket whose own path is too long.
// Throws std::invalid_argument when neither can be written to.
std::filesystem::path make_socket_folder();

}  // namespace planetserve::adapters
