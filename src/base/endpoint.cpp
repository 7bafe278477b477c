#include "base/endpoint.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>

#include "base/words.h"

namespace planetserve {

std::string Endpoint::to_string() const {
    bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool Endpoint::has_ip_address() const {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
           inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
    auto refuse = [&](std::string_view why) {
        return fail(ErrorCode::malformed, "'" + printable(text.substr(0, 300)) +
                                              "' is not an address: " + std::string(why) +
                                              "; write host:port, such as 127.0.0.1:7700 or [::1]:7700");
    };
    std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return refuse("it has no port");
    std::string_view host = text.substr(0, colon);
    std::string_view digits = text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return refuse("an IPv6 address needs brackets");
    }
    if (host.empty() || host.size() > 253) return refuse("the host must have 1 to 253 characters");
    for (char c : host) {
        bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                       c == '-' || c == ':' || c == '%' || c == '_';
        if (!allowed) return refuse("the host has a character that no host name has");
    }
    unsigned port = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port == 0 || port > 65535)
        return refuse("the port must be 1 to 65535");
    return Endpoint{std::string(host), static_cast<std::uint16_t>(port)};
}

}  // namespace planetserve
