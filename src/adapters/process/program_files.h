// What those who run other programs share: the log that such a program writes, and a place for the sockets one talks to
// it over.
#pragma once

#include <filesystem>

namespace planetserve::adapters {

// Renames a log that has grown beyond 16 MiB to LOG.1, in place of an earlier one. For before a program is started.
void put_log_by(const std::filesystem::path& log);

// True when a unix socket can have this path; some 107 bytes are allowed.
bool fits_socket(const std::filesystem::path& socket);
// A new folder in XDG_RUNTIME_DIR or /tmp that only this user can enter, for a socket whose own path would be too long.
// Throws std::invalid_argument when there is none.
std::filesystem::path make_socket_folder();

}  // namespace planetserve::adapters
