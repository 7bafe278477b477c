#include "eval/workload/answer_stream.h"

#include <boost/json.hpp>

#include "inference/bounded_json.h"

namespace planetserve::eval {

namespace json = boost::json;

namespace {

using inference::find;

std::optional<std::uint64_t> count(const json::value* value) {
    if (!value || !value->is_number()) return std::nullopt;
    boost::system::error_code not_whole;
    auto number = value->to_number<std::uint64_t>(not_whole);
    return not_whole ? std::nullopt : std::optional(number);
}

bool has_text(const json::value* value) {
    return value &&
           ((value->is_string() && !value->get_string().empty()) || (value->is_array() && !value->get_array().empty()));
}

// A choice of a chat chunk ("delta") or of a completion chunk ("text").
bool has_content(const json::value& choice) {
    const auto* delta = find(&choice, "delta");
    return has_text(find(&choice, "text")) || has_text(find(delta, "content")) ||
           has_text(find(delta, "reasoning_content")) || has_text(find(delta, "reasoning")) ||
           has_text(find(delta, "tool_calls"));
}

}  // namespace

Status AnswerStream::feed(ByteView bytes, Time now) {
    Status fed = events_.feed(as_text(bytes), [&](std::string_view data) {
        take_event(data, now);
        return true;
    });
    if (!fed)
        return fail(ErrorCode::malformed,
                    "an event of the stream is larger than " + std::to_string(event_limit) + " bytes");
    if (error_) return std::unexpected(*error_);
    return {};
}

void AnswerStream::take_event(std::string_view data, Time now) {
    if (data == "[DONE]") {
        done_ = true;
        return;
    }
    boost::system::error_code failed;
    json::value chunk = json::parse(data, failed);
    if (failed || !chunk.is_object()) {
        error_ = Error{ErrorCode::malformed, "the stream holds something that is no JSON object"};
        return;
    }
    if (const auto* error = find(&chunk, "error"); error && !error->is_null()) {
        const auto* message = find(error, "message");
        std::string text(message && message->is_string() ? std::string_view(message->get_string()) : "an error");
        error_ = Error{ErrorCode::internal, text.substr(0, 300)};
        return;
    }
    if (const auto* choices = find(&chunk, "choices"); choices && choices->is_array()) {
        for (const auto& choice : choices->get_array()) {
            if (has_content(choice)) {
                if (!first_) first_ = now;
                last_ = now;
                ++pieces_;
            }
            if (const auto* reason = find(&choice, "finish_reason"); reason && !reason->is_null()) finished_ = true;
        }
    }
    const auto* usage = find(&chunk, "usage");
    if (!usage || !usage->is_object()) return;
    Usage told;
    told.prompt_tokens = count(find(usage, "prompt_tokens")).value_or(0);
    told.completion_tokens = count(find(usage, "completion_tokens")).value_or(0);
    told.cached_tokens = count(find(find(usage, "prompt_tokens_details"), "cached_tokens"));
    usage_ = told;
}

}  // namespace planetserve::eval
