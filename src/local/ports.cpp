#include "local/ports.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace planetserve::local {

namespace {

int bind_loopback(std::uint16_t port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(descriptor, 1) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

}  // namespace

bool port_is_free(std::uint16_t port) {
    int descriptor = bind_loopback(port);
    if (descriptor >= 0) close(descriptor);
    return descriptor >= 0;
}

Result<std::uint16_t> free_port() {
    int descriptor = bind_loopback(0);
    if (descriptor < 0)
        return fail(ErrorCode::io, std::string("no port on 127.0.0.1 is free: ") + std::strerror(errno));
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
    close(descriptor);
    return ntohs(address.sin_port);
}

Result<std::uint16_t> lasting_port(Random& random) {
    for (int tries = 0; tries < 1000; ++tries) {
        auto port = static_cast<std::uint16_t>(15'000 + random.below(17'000));
        if (port_is_free(port)) return port;
    }
    return free_port();
}

}  // namespace planetserve::local
