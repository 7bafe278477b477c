// Errors as OpenAI's clients read them, and as Anthropic's do under /v1/messages.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace planetserve::adapters {

struct ApiError {
    unsigned status = 500;
    std::string message;
    std::string type = "invalid_request_error";
    std::string param{};  // none when empty
    std::string code{};   // none when empty
};

// What an error of the overlay means to a client.
ApiError api_error(const Error& error);
// The body: {"error": {...}}.
std::string error_body(const ApiError& error, std::string_view path);
std::string_view reason_phrase(unsigned status);

}  // namespace planetserve::adapters
