#include "adapters/cometbft/cometbft_rpc.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <set>

namespace planetserve::adapters {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;
using boost::system::error_code;

namespace {

constexpr std::size_t maximum_rpc_connections = 8;
constexpr std::size_t maximum_waiting = 16'384;
// A commit of 1,000 validators has some 250 KB.
constexpr std::size_t maximum_answer = 4 << 20;  // bytes

class Line;

struct Call {
    std::string body;
    CometbftRpc::Handler handler;
};

Result<json::value> result_of(unsigned status, const std::string& body) {
    error_code error;
    json::value value = json::parse(body, error);
    if (error || !value.is_object())
        return fail(ErrorCode::unavailable, "the consensus engine answers with status " + std::to_string(status));
    auto& object = value.as_object();
    if (const auto* refusal = object.if_contains("error"); refusal != nullptr && refusal->is_object()) {
        std::string words;
        for (const char* key : {"message", "data"})
            if (const auto* text = refusal->as_object().if_contains(key); text != nullptr && text->is_string())
                words += (words.empty() ? "" : ": ") + std::string(text->as_string());
        return fail(ErrorCode::invalid_argument, words);
    }
    auto* result = object.if_contains("result");
    if (result == nullptr) return fail(ErrorCode::unavailable, "the consensus engine answers nothing");
    return std::move(*result);
}

}  // namespace

struct CometbftRpc::Shared : std::enable_shared_from_this<CometbftRpc::Shared> {
    Shared(asio::io_context& io, std::filesystem::path path, Duration within)
        : context(io), socket(std::move(path)), deadline(within) {}

    void start_waiting();

    asio::io_context& context;
    std::filesystem::path socket;
    Duration deadline;
    std::deque<Call> waiting;
    std::set<std::shared_ptr<Line>> busy, idle;
    bool closed = false;
};

namespace {

// One connection, and the call on it.
class Line : public std::enable_shared_from_this<Line> {
public:
    explicit Line(std::shared_ptr<CometbftRpc::Shared> shared)
        : shared_(std::move(shared)), stream_(shared_->context) {}

    void start(Call call) {
        call_ = std::move(call);
        request_ = {http::verb::post, "/", 11};
        request_.set(http::field::host, "localhost");
        request_.set(http::field::content_type, "application/json");
        request_.body() = call_.body;
        request_.prepare_payload();
        stream_.expires_after(shared_->deadline);
        if (connected_) return write();
        stream_.async_connect(asio::local::stream_protocol::endpoint(shared_->socket.string()),
                              [self = shared_from_this()](error_code error) {
                                  if (error) return self->end(error);
                                  self->connected_ = true;
                                  self->fresh_ = true;
                                  self->write();
                              });
    }

    void close() { stream_.close(); }

private:
    void write() {
        http::async_write(stream_, request_, [self = shared_from_this()](error_code error, std::size_t) {
            if (error) return self->end(error);
            self->read();
        });
    }

    void read() {
        parser_.emplace();
        parser_->body_limit(maximum_answer);
        http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
            if (error) return self->end(error);
            auto& answer = self->parser_->get();
            self->keep_ = answer.keep_alive();
            self->finish(result_of(answer.result_int(), answer.body()));
        });
    }

    void end(error_code error) {
        // CometBFT closes a connection that was idle for a while. Such a call is sent again on a new one.
        bool again = !fresh_ && !shared_->closed;
        keep_ = false;
        if (again) shared_->waiting.push_front({call_.body, std::exchange(call_.handler, {})});
        finish(fail(ErrorCode::unavailable, "the consensus engine does not answer: " + error.message()));
    }

    void finish(Result<json::value> result) {
        auto self = shared_from_this();
        auto handler = std::exchange(call_.handler, {});
        fresh_ = false;
        stream_.expires_never();
        shared_->busy.erase(self);
        if (shared_->closed) return;
        if (keep_)
            shared_->idle.insert(self);
        else
            close();
        if (handler) handler(std::move(result));
        shared_->start_waiting();
    }

    std::shared_ptr<CometbftRpc::Shared> shared_;
    beast::basic_stream<asio::local::stream_protocol> stream_;
    beast::flat_buffer buffer_;
    http::request<http::string_body> request_;
    std::optional<http::response_parser<http::string_body>> parser_;
    Call call_;
    bool connected_ = false;
    bool fresh_ = false;  // no call was answered on it yet
    bool keep_ = false;
};

}  // namespace

void CometbftRpc::Shared::start_waiting() {
    while (!closed && !waiting.empty() && busy.size() < maximum_rpc_connections) {
        std::shared_ptr<Line> line;
        if (idle.empty()) {
            line = std::make_shared<Line>(shared_from_this());
        } else {
            line = *idle.begin();
            idle.erase(idle.begin());
        }
        busy.insert(line);
        Call call = std::move(waiting.front());
        waiting.pop_front();
        line->start(std::move(call));
    }
}

CometbftRpc::CometbftRpc(asio::io_context& context, std::filesystem::path socket, Duration deadline)
    : shared_(std::make_shared<Shared>(context, std::move(socket), deadline)) {}

CometbftRpc::~CometbftRpc() {
    shared_->closed = true;
    shared_->waiting.clear();
    for (auto* lines : {&shared_->busy, &shared_->idle})
        for (const auto& line : std::exchange(*lines, {})) line->close();
}

void CometbftRpc::call(std::string method, json::object parameters, Handler handler) {
    if (shared_->waiting.size() >= maximum_waiting) {
        asio::post(shared_->context, [shared = shared_, handler = std::move(handler)] {
            if (!shared->closed)
                handler(fail(ErrorCode::exhausted, "too many transactions wait for the consensus engine; try again"));
        });
        return;
    }
    json::object body{{"jsonrpc", "2.0"}, {"id", 1}, {"method", std::move(method)}, {"params", std::move(parameters)}};
    shared_->waiting.push_back({json::serialize(body), std::move(handler)});
    asio::post(shared_->context, [shared = shared_] { shared->start_waiting(); });
}

}  // namespace planetserve::adapters
