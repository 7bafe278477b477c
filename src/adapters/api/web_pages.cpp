#include "adapters/api/web_pages.h"

#include <algorithm>

namespace planetserve::adapters {

namespace {

constexpr const char* preflight_seconds = "600";  // for which a browser need not ask again
constexpr const char* usual_headers = "authorization, content-type, x-api-key, idempotency-key, x-request-id";
constexpr std::size_t longest_asked = 1024;

// Header names, as a browser lists them.
bool is_sane(std::string_view names) {
    return !names.empty() && names.size() <= longest_asked && std::ranges::all_of(names, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == ',' || c == ' ';
    });
}

}  // namespace

HeaderLines page_headers(const ClientRequest& request) {
    if (request.allowed_origin.empty()) return {};
    return {
        {"access-control-allow-origin", request.allowed_origin},
        {"access-control-expose-headers", "x-request-id, x-planetserve-model-node, x-planetserve-paths, retry-after"},
        {"vary", "origin"}};
}

HeaderLines preflight_headers(const ClientRequest& request, std::string_view methods) {
    if (request.allowed_origin.empty()) return {};
    // The last one: Chrome asks for it before a public page may reach this machine.
    return {{"access-control-allow-methods", std::string(methods)},
            {"access-control-allow-headers", is_sane(request.asked_headers) ? request.asked_headers : usual_headers},
            {"access-control-max-age", preflight_seconds},
            {"access-control-allow-private-network", "true"}};
}

}  // namespace planetserve::adapters
