// The members that the API reads of the body of a request to a model; the engine judges the rest. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "adapters/api/api_errors.h"

namespace planetserve::adapters {

struct ModelRequest {
    std::string model;
    bool stream = false;
    bool several = false;  // more than one answer ("n")

    bool operator==(const ModelRequest&) const = default;
};

// Reads the top level of a JSON object in one pass without building its values, so that a body costs no more memory
// than it has bytes. Of two members of one name the last one counts. A refusal is 400 and says at which byte the JSON
// breaks off, or names the parameter: a model of 1 to 256 bytes is needed, "stream" is a boolean or null, and the paths
// of chats (/v1/chat/completions, /v1/messages) need at least one message.
std::expected<ModelRequest, ApiError> parse_model_request(std::string_view path, std::string_view body);

}  // namespace planetserve::adapters
