// Where an OpenAI-compatible server is.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace planetserve::adapters {

struct HttpTarget {
    enum class Kind { unix_socket, http, https };

    Kind kind = Kind::http;
    std::string host;    // the path of a unix socket, or a host name or address
    std::string port;    // empty for a unix socket
    std::string prefix;  // goes before a request's path: "/openai", or nothing

    // The value of the Host header.
    std::string authority() const;

    // Reads "http://host:port", "https://host/prefix", "unix:PATH" or an absolute PATH. Drops "/v1" at the end, which
    // people write in base URLs: the paths of requests begin with it.
    static Result<HttpTarget> parse(std::string_view text);
};

}  // namespace planetserve::adapters
