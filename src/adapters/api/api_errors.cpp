#include "adapters/api/api_errors.h"

#include <boost/beast/http/status.hpp>
#include <boost/json.hpp>

namespace planetserve::adapters {

namespace json = boost::json;

ApiError api_error(const Error& error) {
    switch (error.code) {
        case ErrorCode::not_found:
            return {404, error.message, "invalid_request_error", "model", "model_not_found"};
        case ErrorCode::invalid_argument:
        case ErrorCode::malformed:
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

std::string error_body(const ApiError& error, std::string_view path) {
    if (path.starts_with("/v1/messages")) {
        const char* type = error.status == 404   ? "not_found_error"
                           : error.status == 401 ? "authentication_error"
                           : error.status == 413 ? "request_too_large"
                           : error.status == 429 ? "rate_limit_error"
                           : error.status < 500  ? "invalid_request_error"
                           : error.status == 503 ? "overloaded_error"
                                                 : "api_error";
        return json::serialize(
            json::object{{"type", "error"}, {"error", {{"type", type}, {"message", error.message}}}});
    }
    json::value param = error.param.empty() ? json::value(nullptr) : json::value(error.param);
    json::value code = error.code.empty() ? json::value(nullptr) : json::value(error.code);
    return json::serialize(
        json::object{{"error", {{"message", error.message}, {"type", error.type}, {"param", param}, {"code", code}}}});
}

std::string_view reason_phrase(unsigned status) {
    auto text = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
    return {text.data(), text.size()};
}

}  // namespace planetserve::adapters
