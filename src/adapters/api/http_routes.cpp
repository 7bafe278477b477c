// Deciding who answers a request, and the answers that the node gives itself.

#include <boost/json.hpp>

#include "adapters/api/http_session.h"
#include "adapters/api/model_request.h"

namespace planetserve::adapters {

namespace http = boost::beast::http;
namespace json = boost::json;

namespace {

constexpr std::size_t maximum_quoted = 200;
constexpr std::size_t maximum_named = 50;

json::object model_object(const ServedModel& model) {
    return {{"id", model.id}, {"object", "model"}, {"created", model.created}, {"owned_by", model.owned_by}};
}

}  // namespace

// All that can be told before the body comes: nobody without a key makes the node read megabytes.
std::optional<ApiError> HttpSession::check_header() {
    const auto& request = parser_->get();
    auto target = parse_target(request.target());
    if (!target) return ApiError{400, "the request's target must be a path", "invalid_request_error", "", "bad_target"};
    path_ = target->path;
    query_ = target->query;
    if (request.count(http::field::host) > 1) return ApiError{400, "the request has several Host headers"};
    const ApiOptions& options = shared_->options;
    if (!options.api_key) {
        std::string host(request[http::field::host]);
        if (auto wrong = check_origin(target->authority.empty() ? host : target->authority,
                                      std::string_view(request[http::field::origin])))
            return wrong;
    } else if (path_ != "/health" &&
               !key_matches(request[http::field::authorization], request["x-api-key"], *options.api_key)) {
        return ApiError{401, "the API key is wrong or missing; send it as: Authorization: Bearer KEY",
                        "invalid_request_error", "", "invalid_api_key"};
    }
    std::string_view allowed = allowed_methods(path_);
    if (allowed.empty())
        return ApiError{404, "there is no " + path_.substr(0, maximum_quoted) + " here", "invalid_request_error", "",
                        "unknown_url"};
    http::verb method = request.method();
    bool fits = method == http::verb::options ||
                (path_ != "*" && (is_model_path(path_) ? method == http::verb::post
                                                       : method == http::verb::get || method == http::verb::head));
    if (!fits)
        return ApiError{405, path_.substr(0, maximum_quoted) + " takes " + std::string(allowed),
                        "invalid_request_error", "", "method_not_allowed"};
    if (auto length = parser_->content_length(); length && *length > options.maximum_body)
        return ApiError{413, "the request's body has " + std::to_string(*length) + " bytes; at most " +
                                 std::to_string(options.maximum_body) + " are taken"};
    return std::nullopt;
}

void HttpSession::route() {
    if (parser_->get().method() == http::verb::options) return answer(200, "", "text/plain");
    if (is_model_path(path_)) return pass_on();
    if (path_ == "/health") {
        Status ready = shared_->state.ready();
        if (ready) return answer(200, R"({"status":"ok"})");
        return answer(503, json::serialize(json::object{{"status", "starting"}, {"reason", ready.error().message}}));
    }
    if (path_ == "/metrics") {
        shared_->state.refresh_metrics();
        return answer(200, shared_->metrics.text(), "text/plain; version=0.0.4; charset=utf-8");
    }
    if (path_ == "/planetserve/status") return answer(200, shared_->state.status_json());
    if (path_ == "/") return answer(200, "PlanetServe is running. Its API is OpenAI's, under /v1.\n", "text/plain");
    list_models();
}

void HttpSession::list_models() {
    auto models = shared_->state.models();
    if (path_ == "/v1/models") {
        json::array data;
        for (const ServedModel& model : models) data.push_back(model_object(model));
        return answer(200, json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}}));
    }
    auto name = percent_decoded(path_.substr(std::string_view("/v1/models/").size()));
    if (!name) return refuse({400, "the model's name is not percent-encoded as it should be"});
    std::string known;
    std::size_t named = 0;
    for (const ServedModel& model : models) {
        if (model.id == *name) return answer(200, json::serialize(model_object(model)));
        if (++named <= maximum_named) known += (known.empty() ? "" : ", ") + model.id;
    }
    if (named > maximum_named) known += ", ...";
    std::string there = known.empty() ? "there are none yet" : "there are: " + known;
    refuse(api_error({ErrorCode::not_found, "no model '" + name->substr(0, maximum_quoted) + "' is served; " + there}));
}

void HttpSession::pass_on() {
    auto& request = parser_->get();
    std::string body = std::move(request.body());
    auto call = parse_model_request(path_, body);
    if (!call) return refuse(call.error());
    streams_ = call->stream;

    std::string retries(request["x-stainless-retry-count"]);
    RequestMarks marks{path_ + query_, std::string(request[http::field::authorization]),
                       std::string(request["idempotency-key"]), !retries.empty() && retries != "0"};
    inference::Request passed;
    passed.id = shared_->ids.id_for(marks, as_bytes(body), shared_->clock.now(), shared_->random);
    passed.method = "POST";
    passed.path = path_ + query_;
    // Whatever the client calls it (curl says a form), it was read as JSON.
    passed.content_type = "application/json";
    passed.model = std::move(call->model);
    passed.body = to_bytes(body);
    auto started = shared_->service.start(std::move(passed), *this);
    if (!started) return refuse(api_error(started.error()));
    exchange_ = std::move(*started);
    watch_for_hang_up();
    arm_keep_alive();
}

void HttpSession::refuse(const ApiError& error) { answer(error.status, error_body(error, path_)); }

void HttpSession::refuse_early(const ApiError& error) {
    keep_connection_ = false;
    refuse(error);
}

void HttpSession::answer(unsigned status, std::string body, std::string_view content_type) {
    clear_deadline();
    answering_ = true;
    inference::ReplyHead head{status, {{"content-type", std::string(content_type)}}};
    if (status == 429 || status == 503) head.headers.emplace_back("retry-after", "1");
    if (status == 401) head.headers.emplace_back("www-authenticate", "Bearer");
    bool options = parser_->is_header_done() && parser_->get().method() == http::verb::options;
    if (auto allowed = allowed_methods(path_); (status == 405 || options) && !allowed.empty())
        head.headers.emplace_back("allow", std::string(allowed));
    put_head(head, body.size());
    if (!head_only_) put_body(body);
    finished_putting_ = true;
    write();
}

}  // namespace planetserve::adapters
