#include "adapters/llama/http_engine.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <stdexcept>

#include "adapters/llama/http_connection.h"
#include "adapters/llama/reply_parser.h"
#include "base/detaching_handle.h"

namespace planetserve::adapters {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t read_piece = 64 * 1024;      // bytes
constexpr std::size_t longest_path = 2048;         // characters
constexpr std::size_t longest_content_type = 256;  // characters

enum class Spaces : std::uint8_t { allowed, forbidden };

bool printable(std::string_view text, Spaces spaces) {
    return std::ranges::all_of(
        text, [&](char c) { return (c > ' ' && c < 0x7f) || (spaces == Spaces::allowed && c == ' '); });
}

// Checks what goes into the head: it must not be able to end a line of it.
Status check(const inference::Request& request) {
    if (request.method != "POST" && request.method != "GET" && request.method != "DELETE")
        return fail(ErrorCode::invalid_argument, "the method must be GET, POST or DELETE");
    if (!request.path.starts_with('/') || request.path.size() > longest_path ||
        !printable(request.path, Spaces::forbidden))
        return fail(ErrorCode::invalid_argument,
                    "the path must begin with / and have at most 2,048 printable characters");
    if (request.content_type.size() > longest_content_type || !printable(request.content_type, Spaces::allowed))
        return fail(ErrorCode::invalid_argument, "the content type must have at most 256 printable characters");
    return {};
}

Bytes render(const HttpEngineOptions& options, const inference::Request& request) {
    std::string head = request.method + " " + options.target.prefix + request.path +
                       " HTTP/1.1\r\nHost: " + options.target.authority() +
                       "\r\nUser-Agent: planetserve\r\nAccept-Encoding: identity\r\n";
    if (options.bearer_key) head += "Authorization: Bearer " + *options.bearer_key + "\r\n";
    if (!request.content_type.empty()) head += "Content-Type: " + request.content_type + "\r\n";
    if (request.method == "POST" || !request.body.empty())
        head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    head += "\r\n";
    Bytes message = to_bytes(head);
    append(message, request.body);
    return message;
}

// One request, from its start to the last callback. Pending operations keep it alive. After detach() the sink hears
// nothing.
class Call : public std::enable_shared_from_this<Call> {
public:
    Call(std::shared_ptr<HttpPool> pool, Bytes message, inference::ReplySink& sink)
        : pool_(std::move(pool)), message_(std::move(message)), sink_(&sink), deadline_(pool_->context) {
        ++pool_->busy;
    }

    ~Call() { release(); }

    void begin() {
        if (!sink_) return;
        if (auto kept = pool_->take_kept()) {
            from_kept_ = true;
            return talk(std::move(kept));
        }
        connect();
    }

    void detach() {
        sink_ = nullptr;
        close();
        release();
    }

    void consumed(std::size_t bytes) {
        outstanding_ -= std::min(bytes, outstanding_);
        if (paused_ && sink_ && room() > 0) {
            paused_ = false;
            expect_body();
            read();
        }
    }

private:
    std::size_t room() const { return inference::reply_window - std::min(outstanding_, inference::reply_window); }

    void expect(Duration within, std::string what) {
        deadline_.expires_after(within);
        deadline_.async_wait([self = shared_from_this(), within, what = std::move(what)](error_code error) {
            if (error || !self->sink_ || self->deadline_.expiry() > asio::steady_timer::clock_type::now()) return;
            auto seconds = std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(within).count());
            self->fail_with({ErrorCode::timed_out, what + " within " + std::to_string(seconds) + " s"});
        });
    }

    void expect_body() { expect(pool_->options.body_deadline, "nothing more of the server's reply"); }

    void connect() {
        connection_ = pool_->make();
        expect(pool_->options.connect_deadline, "no connection to the server");
        connection_->connect([self = shared_from_this()](error_code error, const std::string& doing) {
            if (!self->sink_) return;
            if (error)
                return self->fail_with({self->had_request_ ? ErrorCode::internal : ErrorCode::unavailable,
                                        doing + ": " + error.message()});
            self->talk(self->connection_);
        });
    }

    void talk(std::shared_ptr<HttpConnection> connection) {
        connection_ = std::move(connection);
        expect(pool_->options.head_deadline, "no reply from the server");
        // A server may answer and close before it has read the whole request, so a failed write ends nothing: the reply
        // does.
        connection_->write(message_,
                           [self = shared_from_this(), on = connection_.get()](error_code error, std::size_t) {
                               if (on == self->connection_.get()) self->written_ = !error;
                           });
        read();
    }

    void read() {
        std::size_t size = std::min(read_piece, room());
        if (size == 0) {
            paused_ = true;
            deadline_.cancel();
            return;
        }
        buffer_.resize(read_piece);
        connection_->read_some(MutableByteView(buffer_).first(size),
                               [self = shared_from_this(), on = connection_.get()](error_code error, std::size_t got) {
                                   if (self->sink_ && on == self->connection_.get()) self->on_read(error, got);
                               });
    }

    void on_read(error_code error, std::size_t size) {
        if (error && from_kept_ && !parser_.started()) {
            close();
            had_request_ = written_;
            from_kept_ = written_ = false;
            return connect();
        }
        Status parsed = error ? parser_.closed() : parser_.feed(ByteView(buffer_).first(size));
        deliver(parsed, error);
    }

    void deliver(const Status& parsed, error_code error) {
        auto self = shared_from_this();
        if (parser_.head_complete() && !head_told_) {
            head_told_ = true;
            sink_->on_head(parser_.head());
            if (!sink_) return;
        }
        if (Bytes body = parser_.take_body(); !body.empty()) {
            outstanding_ += body.size();
            sink_->on_body(body);
            if (!sink_) return;
        }
        if (!parsed) {
            bool plain = !error || error == asio::error::eof;
            return fail_with({parsed.error().code, parsed.error().message + (plain ? "" : ": " + error.message())});
        }
        if (parser_.complete()) return finish();
        if (parser_.head_complete()) expect_body();
        read();
    }

    void finish() {
        if (parser_.reusable() && written_) pool_->keep(std::exchange(connection_, nullptr));
        close();
        release();
        std::exchange(sink_, nullptr)->on_end();
    }

    void fail_with(const Error& error) {
        auto self = shared_from_this();
        close();
        release();
        if (sink_) std::exchange(sink_, nullptr)->on_error(error);
    }

    void close() {
        deadline_.cancel();
        if (auto connection = std::exchange(connection_, nullptr)) connection->close();
    }

    void release() {
        if (!std::exchange(released_, true)) --pool_->busy;
    }

    std::shared_ptr<HttpPool> pool_;
    const Bytes message_;
    inference::ReplySink* sink_;  // null once there is nothing more to tell
    asio::steady_timer deadline_;
    std::shared_ptr<HttpConnection> connection_;
    ReplyParser parser_;
    Bytes buffer_;
    std::size_t outstanding_ = 0;  // given to the sink and not consumed
    bool from_kept_ = false;
    bool written_ = false;
    bool had_request_ = false;  // the server may have ended with it, if it cannot be reached again
    bool head_told_ = false;
    bool paused_ = false;
    bool released_ = false;
};

struct CallHandle final : DetachingHandle<inference::Exchange, Call> {
    using DetachingHandle::DetachingHandle;
    void consumed(std::size_t bytes) override { call().consumed(bytes); }
};

}  // namespace

HttpEngine::HttpEngine(asio::io_context& context, HttpEngineOptions options) {
    if (options.bearer_key && (options.bearer_key->empty() || !printable(*options.bearer_key, Spaces::forbidden)))
        throw std::invalid_argument("the server's key is empty or has characters other than printable ones");
    pool_ = std::make_shared<HttpPool>(context, std::move(options));
}

HttpEngine::~HttpEngine() { pool_->close_kept(); }

Result<std::unique_ptr<inference::Exchange>> HttpEngine::start(inference::Request request, inference::ReplySink& sink) {
    if (Status checked = check(request); !checked) return std::unexpected(checked.error());
    if (pool_->busy >= pool_->options.connections)
        return fail(ErrorCode::exhausted,
                    std::to_string(pool_->busy) + " requests to the server are under way, the limit");
    auto call = std::make_shared<Call>(pool_, render(pool_->options, request), sink);
    asio::post(pool_->context, [call] { call->begin(); });
    return std::make_unique<CallHandle>(std::move(call));
}

std::size_t HttpEngine::connections() const { return pool_->busy + pool_->kept(); }
std::size_t HttpEngine::idle_connections() const { return pool_->kept(); }

}  // namespace planetserve::adapters
