// Reading requests and deciding who answers them; the Service's replies are in http_reply.cpp.

#include "adapters/api/http_session.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/json.hpp>

namespace planetserve::adapters {

namespace http = boost::beast::http;
namespace json = boost::json;
using boost::beast::error_code;

namespace {

constexpr std::size_t maximum_header = 32 * 1024;
// What is read and thrown away of a body that was refused, so that the client gets to see why.
constexpr std::size_t maximum_drained = 64 << 20;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

// The host part of "host:port" or "[v6]:port".
std::string host_of(std::string_view authority) {
    if (authority.starts_with('[')) return std::string(authority.substr(0, authority.find(']') + 1));
    return lower(std::string(authority.substr(0, authority.rfind(':'))));
}

bool is_local_name(const std::string& host) {
    return host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host.starts_with("127.");
}

bool is_post_path(std::string_view path) {
    return path == "/v1/chat/completions" || path == "/v1/completions" || path == "/v1/embeddings" ||
           path == "/v1/responses" || path == "/v1/messages";
}
bool is_get_path(std::string_view path) {
    return path == "/v1/models" || path.starts_with("/v1/models/") || path == "/health" || path == "/metrics" ||
           path == "/planetserve/status" || path == "/";
}

json::object model_object(const ServedModel& model) {
    return {{"id", model.id}, {"object", "model"}, {"created", model.created}, {"owned_by", model.owned_by}};
}

}  // namespace

HttpSession::HttpSession(boost::asio::ip::tcp::socket socket, std::shared_ptr<ApiShared> shared)
    : stream_(std::move(socket)), shared_(std::move(shared)), silence_(stream_.get_executor()) {
    error_code ignored;
    stream_.socket().set_option(boost::asio::ip::tcp::no_delay(true), ignored);
    shared_->sessions.insert(this);
}

HttpSession::~HttpSession() {
    exchange_.reset();
    shared_->sessions.erase(this);
}

void HttpSession::close() {
    if (std::exchange(closed_, true)) return;
    exchange_.reset();
    silence_.cancel();
    if (std::exchange(counted_, false)) shared_->metrics.in_flight().Decrement();
    error_code ignored;
    stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_both, ignored);
    stream_.close();
}

void HttpSession::read_header() {
    parser_.emplace();
    parser_->header_limit(maximum_header);
    // The limit is checked here, where the client can be told.
    parser_->body_limit(boost::none);
    stream_.expires_after(buffer_.size() > 0 ? shared_->options.header_deadline : shared_->options.idle_deadline);
    http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
        if (self->closed_) return;
        if (!error) return self->on_header();
        if (error == http::error::header_limit)
            return self->refuse_and_drain({431, "the request's header is over 32 KiB"});
        bool bad = error.category() == http::make_error_code(http::error::bad_version).category() &&
                   error != http::error::end_of_stream;
        if (bad && error != http::error::partial_message)
            return self->refuse_and_drain({400, "not an HTTP request: " + error.message()});
        self->close();
    });
}

void HttpSession::on_header() {
    const auto& request = parser_->get();
    path_ = std::string(request.target());
    keep_connection_ = request.keep_alive();
    http_10_ = request.version() < 11;
    auto given = request["x-request-id"];
    bool sane = !given.empty() && given.size() <= 128 &&
                std::all_of(given.begin(), given.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    request_id_ = sane ? std::string(given) : "req_" + shared_->random.id<FixedBytes<struct RequestIdTag, 12>>().hex();
    began_ = shared_->clock.now();
    if (auto length = parser_->content_length(); length && *length > shared_->options.maximum_body)
        return refuse_and_drain({413, "the request body has " + std::to_string(*length) + " bytes; at most " +
                                          std::to_string(shared_->options.maximum_body) + " are taken"});
    parser_->body_limit(shared_->options.maximum_body);
    if (lower(std::string(request[http::field::expect])) == "100-continue") {
        static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        boost::asio::async_write(stream_, boost::asio::buffer(go_on),
                                 [self = shared_from_this()](error_code error, std::size_t) {
                                     if (self->closed_) return;
                                     if (error) return self->close();
                                     self->read_body();
                                 });
        return;
    }
    read_body();
}

void HttpSession::read_body() {
    stream_.expires_after(shared_->options.body_deadline);
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
        if (self->closed_) return;
        if (!error) return self->on_request();
        if (error == http::error::body_limit)
            return self->refuse_and_drain(
                {413, "the request body is over " + std::to_string(self->shared_->options.maximum_body) + " bytes"});
        if (error == boost::beast::error::timeout)
            return self->refuse_and_drain({408, "the request body did not come in time"});
        self->close();
    });
}

void HttpSession::on_request() {
    stream_.expires_never();
    began_ = shared_->clock.now();
    shared_->metrics.in_flight().Increment();
    counted_ = true;
    if (auto wrong = check_origin()) return refuse(*wrong);
    route();
}

std::optional<ApiError> HttpSession::check_origin() const {
    const auto& request = parser_->get();
    // Without a key, whoever reaches the loopback may ask: but no web page may, whose browser sends its own host or
    // origin.
    if (!shared_->options.api_key && !is_local_name(host_of(std::string(request[http::field::host]))))
        return ApiError{403, "without an API key only requests to localhost or 127.0.0.1 are answered",
                        "invalid_request_error", "", "wrong_host"};
    std::string origin(request[http::field::origin]);
    if (origin.empty() || shared_->options.api_key) return std::nullopt;
    std::size_t scheme = origin.find("://");
    if (scheme != std::string::npos && is_local_name(host_of(origin.substr(scheme + 3)))) return std::nullopt;
    return ApiError{403, "requests from the web page " + origin + " are not answered", "invalid_request_error", "",
                    "wrong_origin"};
}

bool HttpSession::authorised() const {
    if (!shared_->options.api_key) return true;
    const auto& request = parser_->get();
    std::string given(request[http::field::authorization]);
    if (lower(given.substr(0, 7)) == "bearer ") given = given.substr(7);
    if (given.empty()) given = std::string(request["x-api-key"]);
    return equal_in_constant_time(as_bytes(given), as_bytes(*shared_->options.api_key));
}

void HttpSession::route() {
    const auto& request = parser_->get();
    std::string path = path_.substr(0, path_.find('?'));
    bool get = request.method() == http::verb::get || request.method() == http::verb::head;
    if (path == "/health" && get) {
        Status ready = shared_->state.ready();
        if (ready) return answer(200, R"({"status":"ok"})");
        return answer(503, json::serialize(json::object{{"status", "starting"}, {"reason", ready.error().message}}));
    }
    if (!authorised())
        return refuse({401, "the API key is wrong or missing; send it as: Authorization: Bearer KEY",
                       "invalid_request_error", "", "invalid_api_key"});
    if (is_post_path(path)) {
        if (request.method() != http::verb::post) return refuse({405, path + " takes POST"});
        return pass_on();
    }
    if (!is_get_path(path))
        return refuse(
            {404, "there is no " + path.substr(0, 200) + " here", "invalid_request_error", "", "unknown_url"});
    if (!get) return refuse({405, path.substr(0, 200) + " takes GET"});
    if (path == "/metrics") return answer(200, shared_->metrics.text(), "text/plain; version=0.0.4; charset=utf-8");
    if (path == "/planetserve/status") return answer(200, shared_->state.status_json());
    if (path == "/") return answer(200, "PlanetServe is running. Its API is OpenAI's, under /v1.\n", "text/plain");
    auto models = shared_->state.models();
    if (path == "/v1/models") {
        json::array data;
        for (const ServedModel& model : models) data.push_back(model_object(model));
        return answer(200, json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}}));
    }
    std::string name = path.substr(std::string_view("/v1/models/").size());
    for (const ServedModel& model : models)
        if (model.id == name) return answer(200, json::serialize(model_object(model)));
    refuse(api_error({ErrorCode::not_found, "no model '" + name.substr(0, 200) + "' is served"}));
}

void HttpSession::pass_on() {
    const auto& request = parser_->get();
    const std::string& body = request.body();
    json::parse_options options;
    options.max_depth = 128;
    json::stream_parser parser({}, options);
    error_code error;
    std::size_t read = parser.write_some(body, error);
    if (!error) parser.finish(error);
    if (error) return refuse({400, "the body is not JSON: " + error.message() + " at byte " + std::to_string(read)});
    // What follows the value may be white space only.
    if (body.find_first_not_of(" \t\r\n", read) != std::string::npos)
        return refuse({400, "the body goes on after its JSON value, at byte " + std::to_string(read)});
    json::value value = parser.release();
    const auto* model = value.is_object() ? value.as_object().if_contains("model") : nullptr;
    if (!value.is_object()) return refuse({400, "the body must be a JSON object"});
    if (model == nullptr || !model->is_string() || model->as_string().empty())
        return refuse({400, "'model' must name a model; GET /v1/models lists them", "invalid_request_error", "model",
                       "missing_model"});
    const auto* stream = value.as_object().if_contains("stream");
    streams_ = stream != nullptr && stream->is_bool() && stream->as_bool();

    std::string retries(request["x-stainless-retry-count"]);
    RequestMarks marks{path_, std::string(request[http::field::authorization]), std::string(request["idempotency-key"]),
                       !retries.empty() && retries != "0"};
    inference::Request passed;
    passed.id = shared_->ids.id_for(marks, as_bytes(body), shared_->clock.now(), shared_->random);
    passed.method = "POST";
    passed.path = path_;
    passed.content_type = std::string(request[http::field::content_type]);
    passed.model = std::string(model->as_string());
    passed.body = to_bytes(body);
    auto started = shared_->service.start(std::move(passed), *this);
    if (!started) return refuse(api_error(started.error()));
    exchange_ = std::move(*started);
    watch_for_hang_up();
    arm_keep_alive();
}

void HttpSession::refuse(const ApiError& error) { answer(error.status, error_body(error, path_)); }

void HttpSession::answer(unsigned status, std::string body, std::string_view content_type) {
    inference::ReplyHead head{status, {{"content-type", std::string(content_type)}}};
    if (status == 429 || status == 503) head.headers.emplace_back("retry-after", "1");
    if (status == 405) head.headers.emplace_back("allow", is_post_path(path_) ? "POST" : "GET, HEAD");
    put_head(head, body.size());
    if (parser_ && parser_->is_header_done() && parser_->get().method() == http::verb::head)
        out_body_bytes_ = 0;
    else
        put_body(body);
    finished_putting_ = true;
    write();
}

void HttpSession::refuse_and_drain(const ApiError& error) {
    keep_connection_ = false;
    if (request_id_.empty()) request_id_ = "req_" + shared_->random.id<FixedBytes<struct RequestIdTag, 12>>().hex();
    inference::ReplyHead head{error.status, {{"content-type", "application/json"}}};
    std::string body = error_body(error, path_);
    put_head(head, body.size());
    auto text = std::make_shared<std::string>(std::exchange(out_, {}) + body);
    stream_.expires_after(5s);
    shared_->metrics.request(path_, error.status);
    boost::asio::async_write(
        stream_, boost::asio::buffer(*text), [self = shared_from_this(), text](error_code failed, std::size_t) {
            if (failed || self->closed_) return self->close();
            error_code ignored;
            self->stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
            // Read on for a while: closing now would reset the connection before the client has read the answer.
            auto drained = std::make_shared<std::size_t>(0);
            auto scratch = std::make_shared<std::array<char, 65536>>();
            auto step = std::make_shared<std::function<void()>>();
            *step = [self, drained, scratch, weak = std::weak_ptr(step)] {
                auto next = weak.lock();
                self->stream_.async_read_some(boost::asio::buffer(*scratch),
                                              [self, drained, scratch, next](error_code end, std::size_t size) {
                                                  *drained += size;
                                                  if (end || self->closed_ || *drained > maximum_drained)
                                                      return self->close();
                                                  (*next)();
                                              });
            };
            (*step)();
        });
}

}  // namespace planetserve::adapters
