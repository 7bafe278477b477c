#include "adapters/api/api_errors.h"

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <boost/json.hpp>

namespace planetserve::adapters {

namespace json = boost::json;

namespace {

std::string as_utf8(std::string text) {
    boost::system::error_code error;
    json::parse(json::serialize(json::string_view(text)), error);
    if (error)
        for (char& c : text)
            if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    return text;
}

constexpr std::size_t maximum_quoted_error = 2000;
// Of an engine's error: llama-server's have five.
constexpr std::size_t maximum_members = 16;
constexpr std::size_t maximum_member_name = 64;

std::string text_member(const json::object& object, const char* name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return {};
    const json::string& text = value->as_string();
    return std::string(text.data(), std::min(text.size(), maximum_quoted_error));
}

// What else an engine says, such as n_prompt_tokens and n_ctx where a prompt is too long, or a code that is a number.
std::string further_members(const json::object& error) {
    json::object more;
    for (const auto& [name, value] : error) {
        const bool known = name == "message" || name == "type" || name == "param";
        const bool scalar = value.is_number() || value.is_bool() ||
                            (value.is_string() && value.as_string().size() <= maximum_quoted_error);
        if (known || !scalar || (name == "code" && value.is_string())) continue;
        if (name.size() <= maximum_member_name && more.size() < maximum_members) more[name] = value;
    }
    return more.empty() ? "" : json::serialize(more);
}

void add_more(const ApiError& error, json::object& members) {
    if (error.more.empty()) return;
    boost::system::error_code malformed;
    const json::value more = json::parse(error.more, malformed);
    if (malformed || !more.is_object()) return;
    for (const auto& [name, value] : more.as_object())
        if (const auto* there = members.if_contains(name); there == nullptr || there->is_null()) members[name] = value;
}

}  // namespace

ApiError api_error(const Error& error) {
    switch (error.code) {
        case ErrorCode::not_found:
            return {404, error.message, "invalid_request_error", "model", "model_not_found"};
        case ErrorCode::invalid_argument:
            return {400, error.message};
        case ErrorCode::permission_denied:
            return {403, error.message};
        case ErrorCode::exhausted:
            return {429, error.message, "rate_limit_error", "", "overloaded"};
        case ErrorCode::unavailable:
            return {503, error.message, "server_error", "", "unavailable"};
        case ErrorCode::timed_out:
            return {504, error.message, "server_error", "", "timed_out"};
        case ErrorCode::already_exists:
            return {409, error.message, "invalid_request_error", "", "already_ran"};
        default:
            return {502, error.message, "server_error", "", "upstream_failed"};
    }
}

std::string error_body(const ApiError& given, std::string_view path) {
    ApiError error = given;
    // Messages may quote bytes of a peer or a client, and JSON is UTF-8.
    for (std::string* text : {&error.message, &error.type, &error.param, &error.code})
        *text = as_utf8(std::move(*text));
    if (path.starts_with("/v1/messages")) {
        const char* type = error.status == 404   ? "not_found_error"
                           : error.status == 401 ? "authentication_error"
                           : error.status == 413 ? "request_too_large"
                           : error.status == 429 ? "rate_limit_error"
                           : error.status < 500  ? "invalid_request_error"
                           : error.status == 503 ? "overloaded_error"
                                                 : "api_error";
        json::object all{{"type", type}, {"message", error.message}};
        add_more(error, all);
        return json::serialize(json::object{{"type", "error"}, {"error", std::move(all)}});
    }
    json::value param = error.param.empty() ? json::value(nullptr) : json::value(error.param);
    json::value code = error.code.empty() ? json::value(nullptr) : json::value(error.code);
    json::object all{{"message", error.message}, {"type", error.type}, {"param", param}, {"code", code}};
    add_more(error, all);
    return json::serialize(json::object{{"error", std::move(all)}});
}

std::string error_events(const ApiError& error, std::string_view path) {
    if (path.starts_with("/v1/messages")) return "event: error\ndata: " + error_body(error, path) + "\n\n";
    return "data: " + error_body(error, path) + "\n\ndata: [DONE]\n\n";
}

ApiError unstreamed_error(unsigned status, std::string_view body) {
    ApiError error{status, {}, "server_error", "", "upstream_failed"};
    boost::system::error_code malformed;
    json::value value = json::parse(json::string_view(body.data(), body.size()), malformed);
    const json::value* inner = !malformed && value.is_object() ? value.as_object().if_contains("error") : nullptr;
    if (inner != nullptr && inner->is_object()) {
        error.message = text_member(inner->as_object(), "message");
        if (auto type = text_member(inner->as_object(), "type"); !type.empty()) error.type = type;
        error.param = text_member(inner->as_object(), "param");
        error.code = text_member(inner->as_object(), "code");
        error.more = further_members(inner->as_object());
    }
    if (!error.message.empty()) return error;
    error.message = status == 200 ? "the model node answered without the stream that was asked for"
                                  : "the model node answered " + std::to_string(status);
    if (status < 400) error.status = 502;
    return error;
}

std::string_view reason_phrase(unsigned status) {
    auto text = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
    return {text.data(), text.size()};
}

}  // namespace planetserve::adapters
