#include "adapters/process/program_files.h"

#include <stdlib.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace planetserve::adapters {

namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t log_limit = 16 << 20;  // bytes
// Bytes in the path of the folder that holds the socket's own folder, so that the socket's path fits.
constexpr std::size_t longest_base = 60;

}  // namespace

void put_log_by(const fs::path& log) {
    std::error_code ignored;
    if (fs::file_size(log, ignored) > log_limit && !ignored) fs::rename(log, log.string() + ".1", ignored);
}

bool fits_socket(const fs::path& socket) { return socket.native().size() < sizeof(sockaddr_un::sun_path); }

fs::path make_socket_folder() {
    const char* runtime = ::getenv("XDG_RUNTIME_DIR");
    for (std::string base : {std::string(runtime ? runtime : ""), std::string("/tmp")}) {
        if (base.empty() || base.size() > longest_base) continue;
        base += "/planetserve-XXXXXX";
        if (::mkdtemp(base.data())) return base;
    }
    throw std::invalid_argument(std::string("no folder for a socket: ") + std::strerror(errno));
}

}  // namespace planetserve::adapters
