#include "inference/continuation.h"

#include "inference/bounded_json.h"
#include "inference/prompt.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

constexpr std::size_t body_memory_limit = 64 << 20;

std::unexpected<Error> cannot(std::string why) { return fail(ErrorCode::invalid_argument, std::move(why)); }

bool prescribes_form(const json::value& request) {
    for (const char* name : {"grammar", "json_schema"})
        if (is_given(find(&request, name))) return true;
    const auto* format = find(&request, "response_format");
    return is_given(format) && text_of(find(format, "type")) != "text";
}

bool wants_several(const json::value& request) {
    for (const char* name : {"n", "best_of"})
        if (is_given(find(&request, name)) && count_of(find(&request, name)) != 1) return true;
    return false;
}

Status spend(json::object& request, std::size_t pieces) {
    for (const char* name : {"max_tokens", "max_completion_tokens", "n_predict"}) {
        // -1 and the like mean no limit.
        auto limit = count_of(request.if_contains(name));
        if (!limit) continue;
        if (*limit <= pieces) return fail(ErrorCode::exhausted, "all tokens asked for were given");
        request[name] = *limit - pieces;
    }
    return {};
}

// Of an answer that itself goes on with the request's last message, engines may give that message again or not.
std::string joined(std::string_view begun, std::string_view said) {
    return said.starts_with(begun) ? std::string(said) : std::string(begun) + std::string(said);
}

Status add_to_messages(json::object& request, std::string_view said) {
    auto* messages = request.if_contains("messages");
    if (messages == nullptr || !messages->is_array() || messages->get_array().empty())
        return cannot("a request without messages");
    json::array& list = messages->get_array();
    if (text_of(find(&list.back(), "role")) == "assistant") {
        auto begun = text_of(find(&list.back(), "content"));
        if (!begun) return cannot("the answer's beginning is not plain text");
        list.back().get_object()["content"] = joined(*begun, said);
    } else {
        list.push_back(json::object{{"role", "assistant"}, {"content", said}});
    }
    request["continue_final_message"] = true;
    request["add_generation_prompt"] = false;
    return {};
}

Status add_to_prompt(json::object& request, std::string_view said) {
    if (is_true(request.if_contains("echo"))) return cannot("the prompt is to be given again");
    if (is_given(request.if_contains("suffix"))) return cannot("a suffix is given");
    auto prompt = text_of(request.if_contains("prompt"));
    if (!prompt) return cannot("the prompt is not plain text");
    request["prompt"] = std::string(*prompt) + std::string(said);
    return {};
}

}  // namespace

Result<Bytes> continuation(std::string_view path, ByteView body, std::string_view said, std::size_t pieces) {
    auto api = api_of(path);
    if (api != Api::chat && api != Api::completions) return cannot("answers of this path cannot be resumed");
    auto request = parse_json(as_text(body), body_memory_limit);
    if (!request) return std::unexpected(request.error());
    if (!request->is_object()) return cannot("the request is no JSON object");
    if (prescribes_form(*request)) return cannot("the answer's form is prescribed");
    if (wants_several(*request)) return cannot("several answers are asked for");
    json::object& members = request->get_object();
    auto status = api == Api::chat ? add_to_messages(members, said) : add_to_prompt(members, said);
    if (status) status = spend(members, pieces);
    if (!status) return std::unexpected(status.error());
    return to_bytes(compact(*request));
}

}  // namespace planetserve::inference
