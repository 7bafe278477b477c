#include "adapters/llama/http_target.h"

#include <sys/un.h>

#include <algorithm>

#include "base/endpoint.h"

namespace planetserve::adapters {

namespace {

std::unexpected<Error> bad(std::string_view text, std::string_view why) {
    return fail(ErrorCode::invalid_argument, "server address \"" + std::string(text) + "\": " + std::string(why));
}

}  // namespace

std::string HttpTarget::authority() const {
    if (kind == Kind::unix_socket) return "localhost";
    std::string name = host.contains(':') ? "[" + host + "]" : host;
    bool usual = port == (kind == Kind::https ? "443" : "80");
    return usual ? name : name + ":" + port;
}

Result<HttpTarget> HttpTarget::parse(std::string_view text) {
    HttpTarget target;
    std::string_view rest = text;
    if (std::ranges::any_of(text, [](char c) { return c <= ' ' || c == 0x7f; }))
        return bad(text, "has a space or a control character");
    if (rest.starts_with("unix:")) rest.remove_prefix(5);
    if (rest.starts_with('/')) {
        if (rest.size() >= sizeof(sockaddr_un::sun_path))
            return bad(text, "a unix socket's path has at most 107 bytes");
        target.kind = Kind::unix_socket;
        target.host = rest;
        return target;
    }
    if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
    } else if (rest.starts_with("https://")) {
        target.kind = Kind::https;
        rest.remove_prefix(8);
    } else {
        return bad(text, "expected http://HOST:PORT, https://HOST or the absolute path of a unix socket");
    }
    std::string_view authority = rest.substr(0, rest.find('/'));
    std::string_view path = rest.substr(authority.size());
    if (authority.contains('@')) return bad(text, "a user name or password does not belong here; give the key apart");
    if (path.find_first_of("?#") != path.npos) return bad(text, "has a query or a fragment");
    bool has_port = authority.starts_with('[') ? authority.contains("]:") : authority.contains(':');
    auto endpoint = Endpoint::parse(has_port ? std::string(authority)
                                             : std::string(authority) + (target.kind == Kind::https ? ":443" : ":80"));
    if (!endpoint) return bad(text, endpoint.error().message);
    target.host = endpoint->host;
    target.port = std::to_string(endpoint->port);
    while (path.ends_with('/')) path.remove_suffix(1);
    if (path.ends_with("/v1")) path.remove_suffix(3);
    while (path.ends_with('/')) path.remove_suffix(1);
    target.prefix = path;
    return target;
}

}  // namespace planetserve::adapters
