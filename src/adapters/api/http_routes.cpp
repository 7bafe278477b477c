#include "adapters/api/http_routes.h"

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
    Status ready = state.ready();
    if (ready) return {200, R"({"status":"ok"})"};
    return {503, json::serialize(json::object{{"status", "starting"}, {"reason", ready.error().message}})};
}

}  // namespace

std::optional<ApiError> check_header(const RequestParser& parser, const ApiOptions& options, ClientRequest& request) {
    const auto& head = parser.get();
    auto target = parse_target(head.target());
    if (!target) return ApiError{400, "the request's target must be a path", "invalid_request_error", "", "bad_target"};
    request.path = target->path;
    request.query = target->query;
    if (head.count(http::field::host) > 1) return ApiError{400, "the request has several Host headers"};
    if (!options.api_key) {
        std::string host(head[http::field::host]);
        if (auto wrong = check_origin(target->authority.empty() ? host : target->authority,
                                      std::string_view(head[http::field::origin])))
            return wrong;
    } else if (request.path != "/health" &&
               !key_matches(head[http::field::authorization], head["x-api-key"], *options.api_key)) {
        return ApiError{401, "the API key is wrong or missing; send it as: Authorization: Bearer KEY",
                        "invalid_request_error", "", "invalid_api_key"};
    }
    std::string_view allowed = allowed_methods(request.path);
    if (allowed.empty())
        return ApiError{404, "there is no " + request.path.substr(0, maximum_quoted) + " here", "invalid_request_error",
                        "", "unknown_url"};
    if (!fits_path(head.method(), request.path))
        return ApiError{405, request.path.substr(0, maximum_quoted) + " takes " + std::string(allowed),
                        "invalid_request_error", "", "method_not_allowed"};
    if (auto length = parser.content_length(); length && *length > options.maximum_body)
        return ApiError{413, "the request's body has " + std::to_string(*length) + " bytes; at most " +
                                 std::to_string(options.maximum_body) + " are taken"};
    return std::nullopt;
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

    std::string retries(head["x-stainless-retry-count"]);
    RequestMarks marks{request.path + request.query, std::string(head[http::field::authorization]),
                       std::string(head["idempotency-key"]), !retries.empty() && retries != "0"};
    inference::Request passed;
    passed.id = shared.ids.id_for(marks, as_bytes(body), shared.clock.now(), shared.random);
    passed.method = "POST";
    passed.path = request.path + request.query;
    // Whatever the client calls it (curl says a form), it was read as JSON.
    passed.content_type = "application/json";
    passed.model = std::move(call->model);
    passed.body = to_bytes(body);
    return ServiceCall{std::move(passed), call->stream ? ServiceCall::Form::stream : ServiceCall::Form::whole};
}

}  // namespace planetserve::adapters
