// Which requests are answered, and which parts of a head are believed: the rules of docs/api.md without sockets. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/api/api_errors.h"
#include "inference/service.h"

namespace planetserve::adapters {

// A request's target (RFC 9112, section 3.2): "/v1/models?limit=5", "http://localhost:80/v1/models" or "*".
struct Target {
    std::string authority;  // of the absolute form, where it stands in for Host; else empty
    std::string path;       // without the query
    std::string query;      // from its "?" on, or empty
};
std::optional<Target> parse_target(std::string_view target);

// Exactly localhost, 127.0.0.1 or [::1], with or without a port. The owner of any other name, such as
// "127.attacker.example", may let it resolve to the loopback (DNS rebinding).
bool names_loopback(std::string_view authority);

// Why a request by this Host is not answered where no key is demanded.
std::optional<ApiError> check_host(std::string_view host);
// Whether the Origin is a page of this machine.
bool is_loopback_origin(std::string_view origin);
// For a web page that may not ask: says how its operator allows it.
ApiError wrong_origin(std::string_view origin);

// Whether "Bearer KEY" or x-api-key is the key: one of them suffices, since clients send what their environment holds
// for another service. In constant time for keys of one length.
bool key_matches(std::string_view authorization, std::string_view x_api_key, std::string_view key);

// 1 to 128 visible ASCII characters.
bool is_sane_request_id(std::string_view id);

// "a%2Fb" is "a/b". Empty for an escape that is not two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);

// Why this query is refused on a path that goes to a model; a model node sees none.
std::optional<ApiError> check_query(std::string_view path, std::string_view query);

// The path of the API that somebody meant who wrote this one: with doubled slashes, one at the end, or /v1 twice or not
// at all. Empty where there is none.
std::string meant_path(std::string_view path);

// The value of Allow for a path of the API; empty for any other path.
std::string_view allowed_methods(std::string_view path);
bool is_model_path(std::string_view path);

// A reply's head comes from a model node, which may be hostile: of its headers content-type, retry-after, x-request-id
// and x-planetserve-* are passed on, in lower case, the last of each name, and only with values that fit in a line.
inference::ReplyHead passed_head(const inference::ReplyHead& head);

// Whether a reply may have this status: one of 200 to 599 that has a body.
bool is_passed_status(unsigned status);

// The value of a header; empty where there is none.
std::string_view header_of(const inference::ReplyHead& head, std::string_view name);

}  // namespace planetserve::adapters
