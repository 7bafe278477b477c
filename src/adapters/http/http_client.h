// A small blocking HTTP client for the commands that talk to a node's API on this machine.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/result.h"

namespace planetserve::adapters {

inline constexpr long http_unauthorized = 401;

struct HttpAnswer {
    long status = 0;
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;                            // empty when an on_body was given
};

struct HttpCall {
    std::string url;
    std::string body;     // sent by POST when not empty
    std::string api_key;  // sent as a bearer token when not empty
    std::map<std::string, std::string> headers{};
    long timeout_seconds = 30;
    std::function<bool(std::string_view)> on_body;  // pieces as they come; false hangs up
    std::function<bool()> interrupted{};            // asked about once a second, and when a signal came; true hangs up
};

Result<HttpAnswer> http_call(const HttpCall& call);

}  // namespace planetserve::adapters
