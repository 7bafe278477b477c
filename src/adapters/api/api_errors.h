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
    std::string more{};   // further members, as the text of a JSON object; none when empty
};

// An error of the overlay as the client sees it.
ApiError api_error(const Error& error);
// The body, on one line: {"error": {...}}.
std::string error_body(const ApiError& error, std::string_view path);
// The same in mid-stream, as server-sent events: the last ones of the stream. Those of /v1/responses:
// responses_events.h.
std::string error_events(const ApiError& error, std::string_view path);
// A model node's reply that is no stream, where a stream was under way: its own error where the body holds one, with
// all of its members that are no lists and no objects.
ApiError unstreamed_error(unsigned status, std::string_view body);
std::string_view reason_phrase(unsigned status);

}  // namespace planetserve::adapters
