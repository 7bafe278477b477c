#include "adapters/api/http_routes.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/json.hpp>

#include "adapters/api/api_rules.h"
#include "adapters/api/model_request.h"
#include "base/requires.h"

namespace planetserve::adapters {

namespace http = boost::beast::http;
namespace json = boost::json;

namespace {

// Of a client's text in an error, in characters.
constexpr std::size_t maximum_quoted = 200;
// Of a target, in bytes. It travels to the model node in the request's head, and the longest that has a meaning is a
// model's name in /v1/models/NAME, percent-encoded.
constexpr std::size_t maximum_target = 1024;
// Models that an error names.
constexpr std::size_t maximum_named = 50;

json::object model_object(const ServedModel& model) {
    return {{"id", model.id}, {"object", "model"}, {"created", model.created}, {"owned_by", model.owned_by}};
}

bool fits_path(http::verb method, std::string_view path) {
    if (method == http::verb::options) return true;
    if (path == "*") return false;
    if (is_model_path(path)) return method == http::verb::post;
    return method == http::verb::get || method == http::verb::head;
}

std::expected<OwnAnswer, ApiError> models_answer(const ClientRequest& request, ApiState& state) {
    auto models = state.models();
    if (request.path == "/v1/models") {
        json::array data;
        for (const ServedModel& model : models) data.push_back(model_object(model));
        return OwnAnswer{200, json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}})};
    }
    auto name = percent_decoded(request.path.substr(std::string_view("/v1/models/").size()));
    if (!name) return std::unexpected(ApiError{400, "the model's name is not percent-encoded as it should be"});
    std::string known;
    std::size_t named = 0;
    for (const ServedModel& model : models) {
        if (model.id == *name) return OwnAnswer{200, json::serialize(model_object(model))};
        if (++named <= maximum_named) known += (known.empty() ? "" : ", ") + model.id;
    }
    if (named > maximum_named) known += ", ...";
    std::string there = known.empty() ? "there are none yet" : "there are: " + known;
    return std::unexpected(
        api_error({ErrorCode::not_found, "no model '" + name->substr(0, maximum_quoted) + "' is served; " + there}));
}

OwnAnswer health_answer(ApiState& state) {
    const Status ready = state.ready();
    const std::string problem = state.problem();
    json::object health{{"status", ready ? "ok" : "starting"}};
    if (!ready) health["reason"] = ready.error().message;
    if (!problem.empty()) health["problem"] = problem;
    return {ready ? 200U : 503U, json::serialize(health)};
}

using Head = RequestParser::value_type;

// A browser asks beforehand, and sends no key with that.
bool is_preflight(const Head& head) {
    return head.method() == http::verb::options && head.count("access-control-request-method") > 0;
}

// Who may ask: docs/api.md.
std::optional<ApiError> check_access(const Head& head, const Target& target, const ApiOptions& options,
                                     ClientRequest& request) {
    const std::string_view origin(head[http::field::origin]);
    if (!origin.empty() && std::ranges::find(options.allowed_origins, origin) != options.allowed_origins.end()) {
        request.allowed_origin = origin;
        request.asked_headers = std::string_view(head["access-control-request-headers"]);
    }
    const bool allowed = !request.allowed_origin.empty();
    if (!options.api_key) {
        const std::string_view host(head[http::field::host]);
        if (auto wrong = check_host(target.authority.empty() ? host : std::string_view(target.authority))) return wrong;
        if (!origin.empty() && !allowed && !is_loopback_origin(origin)) return wrong_origin(origin);
    }
    if (is_preflight(head)) return allowed ? std::nullopt : std::optional(wrong_origin(origin));
    if (!options.api_key || request.path == "/health" ||
        key_matches(head[http::field::authorization], head["x-api-key"], *options.api_key))
        return std::nullopt;
    return ApiError{401, "the API key is wrong or missing; send it as: Authorization: Bearer KEY",
                    "invalid_request_error", "", "invalid_api_key"};
}

std::optional<ApiError> check_path(const Head& head, const ClientRequest& request) {
    const std::string path = request.path.substr(0, maximum_quoted);
    const std::string_view allowed = allowed_methods(request.path);
    if (allowed.empty()) {
        const std::string meant = meant_path(request.path);
        return ApiError{404, "there is no " + path + " here" + (meant.empty() ? "" : "; did you mean " + meant + "?"),
                        "invalid_request_error", "", "unknown_url"};
    }
    if (!fits_path(head.method(), request.path))
        return ApiError{405, path + " takes " + std::string(allowed), "invalid_request_error", "",
                        "method_not_allowed"};
    return is_model_path(request.path) ? check_query(request.path, request.query) : std::nullopt;
}

std::optional<ApiError> check_body(const RequestParser& parser, const ApiOptions& options) {
    const auto [first, last] = parser.get().equal_range(http::field::content_encoding);
    for (auto field = first; field != last; ++field)
        if (!boost::beast::iequals(field->value(), "identity"))
            return ApiError{415,
                            "the request's body is encoded (content-encoding: " +
                                std::string(std::string_view(field->value()).substr(0, maximum_quoted)) +
                                "); send it as it is",
                            "invalid_request_error", "", "unsupported_encoding"};
    const auto length = parser.content_length();
    if (!length || *length <= options.maximum_body) return std::nullopt;
    return ApiError{413, "the request's body has " + std::to_string(*length) + " bytes; at most " +
                             std::to_string(options.maximum_body) + " are taken"};
}

}  // namespace

std::optional<ApiError> check_header(const RequestParser& parser, const ApiOptions& options, ClientRequest& request) {
    const auto& head = parser.get();
    if (head.target().size() > maximum_target)
        return ApiError{414,
                        "the request's target has " + std::to_string(head.target().size()) + " bytes; at most " +
                            std::to_string(maximum_target) + " are taken",
                        "invalid_request_error", "", "target_too_long"};
    auto target = parse_target(head.target());
    if (!target) return ApiError{400, "the request's target must be a path", "invalid_request_error", "", "bad_target"};
    request.path = target->path;
    request.query = target->query;
    if (head.count(http::field::host) > 1) return ApiError{400, "the request has several Host headers"};
    if (auto wrong = check_access(head, *target, options, request)) return wrong;
    if (auto wrong = check_path(head, request)) return wrong;
    return check_body(parser, options);
}

bool is_for_service(const ClientRequest& request) {
    return request.method != ClientRequest::Method::options && is_model_path(request.path);
}

std::expected<OwnAnswer, ApiError> own_answer(const ClientRequest& request, ApiShared& shared) {
    REQUIRES(!is_for_service(request));
    if (request.method == ClientRequest::Method::options) return OwnAnswer{200, "", "text/plain"};
    if (request.path == "/health") return health_answer(shared.state);
    if (request.path == "/metrics") {
        shared.state.refresh_metrics();
        return OwnAnswer{200, shared.metrics.text(), "text/plain; version=0.0.4; charset=utf-8"};
    }
    if (request.path == "/planetserve/status") return OwnAnswer{200, shared.state.status_json()};
    if (request.path == "/")
        return OwnAnswer{200, "PlanetServe is running. Its API is OpenAI's, under /v1.\n", "text/plain"};
    return models_answer(request, shared.state);
}

std::expected<ServiceCall, ApiError> service_call(const ClientRequest& request, RequestParser& parser,
                                                  ApiShared& shared) {
    REQUIRES(is_for_service(request));
    auto& head = parser.get();
    std::string body = std::move(head.body());
    auto call = parse_model_request(request.path, body);
    if (!call) return std::unexpected(call.error());

    std::optional<NodeId> node;
    if (std::string_view named(head["x-planetserve-model-node"]); !named.empty()) {
        node = NodeId::from_hex(named);
        if (!node)
            return std::unexpected(
                ApiError{400, "x-planetserve-model-node must be a node's id, 64 hexadecimal digits"});
    }
    std::string retries(head["x-stainless-retry-count"]);
    RequestMarks marks{request.path, std::string(head[http::field::authorization]), std::string(head["x-api-key"]),
                       std::string(head["idempotency-key"]), !retries.empty() && retries != "0"};
    inference::Request passed;
    passed.id = shared.ids.id_for(marks, as_bytes(body), shared.clock.now(), shared.random);
    passed.method = "POST";
    passed.path = request.path;
    // Whatever the client calls it (curl says a form), it was read as JSON.
    passed.content_type = "application/json";
    passed.model = std::move(call->model);
    passed.body = to_bytes(body);
    passed.node = node;
    passed.continues = node.has_value();  // no other may answer, so it is not to be forwarded
    return ServiceCall{std::move(passed), call->stream ? ServiceCall::Form::stream : ServiceCall::Form::whole,
                       call->several ? ServiceCall::Answers::several : ServiceCall::Answers::one};
}

}  // namespace planetserve::adapters
