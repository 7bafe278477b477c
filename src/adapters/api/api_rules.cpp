#include "adapters/api/api_rules.h"

#include <algorithm>
#include <cctype>

#include "inference/model_calls.h"

namespace planetserve::adapters {

namespace {

constexpr std::size_t maximum_headers = 32;
constexpr std::size_t maximum_header_name = 64;
constexpr std::size_t maximum_header_value = 1024;
constexpr std::size_t maximum_quoted_origin = 200;
constexpr std::size_t maximum_quoted_query = 100;

std::string lower(std::string_view text) {
    std::string lowered(text);
    std::transform(lowered.begin(), lowered.end(), lowered.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lowered;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_passed_name(std::string_view name) {
    if (name == "content-type" || name == "retry-after" || name == "x-request-id") return true;
    static constexpr std::string_view ours = "x-planetserve-";
    return name.starts_with(ours) && name.size() > ours.size() && name.size() <= maximum_header_name &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; });
}

bool is_passed_value(std::string_view value) {
    return value.size() <= maximum_header_value &&
           std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace

std::optional<Target> parse_target(std::string_view target) {
    Target parsed;
    static constexpr std::string_view scheme = "http://";
    if (lower(target.substr(0, scheme.size())) == scheme) {
        target.remove_prefix(scheme.size());
        std::size_t end = std::min(target.find_first_of("/?"), target.size());
        parsed.authority = std::string(target.substr(0, end));
        target.remove_prefix(end);
        if (parsed.authority.empty()) return std::nullopt;
        if (!target.starts_with('/')) parsed.path = "/";
    } else if (target != "*" && !target.starts_with('/')) {
        return std::nullopt;
    }
    std::size_t query = std::min(target.find('?'), target.size());
    parsed.path += target.substr(0, query);
    parsed.query = std::string(target.substr(query));
    return parsed;
}

bool names_loopback(std::string_view authority) {
    std::string name = lower(authority);
    for (std::string_view local : {"localhost", "127.0.0.1", "[::1]"}) {
        if (!name.starts_with(local)) continue;
        std::string_view port = std::string_view(name).substr(local.size());
        if (port.empty()) return true;
        if (port.front() != ':' || port.size() < 2 || port.size() > 6) return false;
        return std::all_of(port.begin() + 1, port.end(), is_digit);
    }
    return false;
}

std::optional<ApiError> check_host(std::string_view host) {
    if (names_loopback(host)) return std::nullopt;
    return ApiError{403, "without an API key only requests to localhost, 127.0.0.1 or [::1] are answered",
                    "invalid_request_error", "", "wrong_host"};
}

bool is_loopback_origin(std::string_view origin) {
    for (std::string_view scheme : {"http://", "https://"})
        if (origin.starts_with(scheme) && names_loopback(origin.substr(scheme.size()))) return true;
    return false;
}

ApiError wrong_origin(std::string_view origin) {
    return {403,
            "requests of the web page " + std::string(origin.substr(0, maximum_quoted_origin)) +
                " are not answered; to allow it, list it under 'api.allowed_origins' in the configuration of this node",
            "invalid_request_error", "", "wrong_origin"};
}

bool key_matches(std::string_view authorization, std::string_view x_api_key, std::string_view key) {
    std::string_view given = authorization;
    if (lower(given.substr(0, 7)) == "bearer ") given.remove_prefix(7);
    const bool by_authorization = equal_in_constant_time(as_bytes(given), as_bytes(key));
    const bool by_api_key = equal_in_constant_time(as_bytes(x_api_key), as_bytes(key));
    return by_authorization || by_api_key;
}

bool is_sane_request_id(std::string_view id) {
    return !id.empty() && id.size() <= 128 &&
           std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return std::nullopt;
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return decoded;
}

std::optional<ApiError> check_query(std::string_view path, std::string_view query) {
    const auto call = inference::model_call(path);
    if (query == "?" || (call && inference::is_known_query(*call, query))) return std::nullopt;
    return ApiError{400,
                    "the query " + std::string(query.substr(0, maximum_quoted_query)) +
                        " is not known; parameters of a request go into its body",
                    "invalid_request_error", "", "unknown_query"};
}

std::string meant_path(std::string_view path) {
    static constexpr std::string_view version = "/v1";
    std::string plain;
    for (char c : path)
        if (c != '/' || !plain.ends_with('/')) plain += c;
    while (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
    while (plain.starts_with("/v1/v1/")) plain.erase(0, version.size());
    if (plain == version || plain == "/v1/v1") return "/v1/models";
    if (allowed_methods(plain).empty()) plain.insert(0, version);
    return plain == path || allowed_methods(plain).empty() ? std::string() : plain;
}

bool is_model_path(std::string_view path) { return inference::model_call(path).has_value(); }

std::string_view allowed_methods(std::string_view path) {
    if (is_model_path(path)) return "POST, OPTIONS";
    static constexpr std::string_view one_model = "/v1/models/";
    if (path == "/v1/models" || (path.starts_with(one_model) && path.size() > one_model.size()) || path == "/health" ||
        path == "/metrics" || path == "/planetserve/status" || path == "/")
        return "GET, HEAD, OPTIONS";
    if (path == "*") return "GET, HEAD, POST, OPTIONS";
    return {};
}

inference::ReplyHead passed_head(const inference::ReplyHead& head) {
    inference::ReplyHead passed{head.status, {}};
    for (const auto& [given_name, value] : head.headers) {
        std::string name = lower(given_name);
        if (!is_passed_name(name) || !is_passed_value(value)) continue;
        if (name == "x-request-id" && !is_sane_request_id(value)) continue;
        // The overlay appends its own headers: a model node that sends one of that name must not stand before it.
        std::erase_if(passed.headers, [&](const auto& earlier) { return earlier.first == name; });
        passed.headers.emplace_back(std::move(name), value);
    }
    if (passed.headers.size() > maximum_headers)
        passed.headers.erase(passed.headers.begin(), passed.headers.end() - maximum_headers);
    return passed;
}

bool is_passed_status(unsigned status) {
    return status >= 200 && status <= 599 && status != 204 && status != 205 && status != 304;
}

std::string_view header_of(const inference::ReplyHead& head, std::string_view name) {
    for (const auto& [given, value] : head.headers)
        if (given == name) return value;
    return {};
}

}  // namespace planetserve::adapters
