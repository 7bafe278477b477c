// One client's connection: requests one after the other, each answered from the node itself or passed to the Service.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <set>

#include "adapters/api/api_errors.h"
#include "adapters/api/api_metrics.h"
#include "adapters/api/api_rules.h"
#include "adapters/api/api_server.h"
#include "adapters/api/request_ids.h"

namespace planetserve::adapters {

// What all sessions of a server share.
struct ApiShared : std::enable_shared_from_this<ApiShared> {
    ApiShared(ApiOptions own_options, inference::Service& own_service, ApiState& own_state,
              prometheus::Registry& registry, Random& own_random)
        : options(std::move(own_options)),
          service(own_service),
          state(own_state),
          metrics(registry),
          random(own_random) {}

    void close_all();
    // Has `drained` called once no connection is open.
    void tell_if_empty(const boost::asio::any_io_executor& executor);

    ApiOptions options;
    inference::Service& service;
    ApiState& state;
    ApiMetrics metrics;
    Random& random;
    RequestIds ids;
    SystemClock clock;
    std::set<HttpSession*> sessions;  // those whose connection is open
    bool stopping = false;
    bool draining = false;  // connections end with the request they are at
    std::vector<std::function<void()>> drained;
};

class HttpSession final : public std::enable_shared_from_this<HttpSession>, private inference::ReplySink {
public:
    HttpSession(boost::asio::ip::tcp::socket socket, std::shared_ptr<ApiShared> shared);
    ~HttpSession() override;

    void start() { await_request(); }
    void close();
    // Closes a connection that is between two requests.
    void close_if_idle();

private:
    using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

    // Reading (http_session.cpp).
    void await_request();
    void read_header();
    void on_header();
    void read_body();
    void on_request();
    // Each phase of a connection has one deadline, after which `passed` is called.
    void set_deadline(Duration after, void (HttpSession::*passed)());
    void clear_deadline();
    void stop_reading();
    void leave();
    void linger(std::size_t drained);

    // Deciding who answers, and what the node answers itself (http_routes.cpp).
    std::optional<ApiError> check_header();
    void route();
    void list_models();
    void pass_on();
    void answer(unsigned status, std::string body, std::string_view content_type = "application/json");
    void refuse(const ApiError& error);
    // Before the whole request was read: the connection ends with it.
    void refuse_early(const ApiError& error);

    // The reply of the Service (http_reply.cpp).
    void on_head(const inference::ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;
    void schedule_flush();
    void flush();
    void flush_unstreamed();
    void put_head(const inference::ReplyHead& head, std::optional<std::size_t> content_length);
    void put_body(std::string_view bytes);
    void put_error_events(const ApiError& error);
    void break_off();
    void write();
    void on_written(std::size_t reply_bytes);
    void consume(std::size_t reply_bytes);
    void request_done();
    void next_request();
    void watch_for_hang_up();
    void arm_keep_alive();
    void on_silence();
    bool at_event_end() const;

    boost::asio::ip::tcp::socket socket_;
    std::shared_ptr<ApiShared> shared_;
    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    boost::asio::steady_timer deadline_;
    std::uint64_t deadline_round_ = 0;
    bool timed_out_ = false;  // the deadline stopped a read
    boost::asio::steady_timer silence_;

    // The request being answered.
    std::string path_;
    std::string query_;
    std::string request_id_;
    bool own_request_id_ = false;  // the client gave none
    bool keep_connection_ = true;
    bool http_10_ = false;
    bool head_only_ = false;
    bool streams_ = false;  // asked for server-sent events
    Time began_{};
    bool counted_ = false;  // in flight

    std::unique_ptr<inference::Exchange> exchange_;
    std::optional<inference::ReplyHead> head_;  // given, and not yet put out
    std::string pending_body_;
    std::size_t unconsumed_ = 0;  // delivered by the Service and not yet written
    bool over_ = false;
    std::optional<Error> error_;
    bool head_put_ = false;
    bool events_ = false;        // the reply is server-sent events
    bool early_head_ = false;    // the head was put out before the Service gave one
    std::string early_error_;    // collects an error body that came after an early head
    std::string tail_ = "\n\n";  // of what was put out
    bool chunked_ = false;
    bool finished_putting_ = false;
    std::size_t reply_bytes_ = 0;

    std::string out_;
    std::size_t out_reply_bytes_ = 0;  // of out_, what the Service delivered
    std::string writing_;
    bool write_under_way_ = false;
    bool flush_posted_ = false;
    bool idle_ = false;
    bool answering_ = false;
    bool watching_ = false;
    bool closed_ = false;
};

}  // namespace planetserve::adapters
