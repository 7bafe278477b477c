// One client's connection: requests one after the other, each answered from the node itself or passed to the Service.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <set>

#include "adapters/api/api_errors.h"
#include "adapters/api/api_metrics.h"
#include "adapters/api/api_server.h"
#include "adapters/api/request_ids.h"

namespace planetserve::adapters {

// What all sessions of a server share.
struct ApiShared {
    ApiShared(ApiOptions own_options, inference::Service& own_service, ApiState& own_state,
              prometheus::Registry& registry, Random& own_random)
        : options(std::move(own_options)),
          service(own_service),
          state(own_state),
          metrics(registry),
          random(own_random) {}

    ApiOptions options;
    inference::Service& service;
    ApiState& state;
    ApiMetrics metrics;
    Random& random;
    RequestIds ids;
    SystemClock clock;
    std::set<HttpSession*> sessions;
    bool stopping = false;
};

class HttpSession final : public std::enable_shared_from_this<HttpSession>, private inference::ReplySink {
public:
    HttpSession(boost::asio::ip::tcp::socket socket, std::shared_ptr<ApiShared> shared);
    ~HttpSession() override;

    void start() { read_header(); }
    void close();

private:
    using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

    void read_header();
    void on_header();
    void read_body();
    void on_request();
    void route();
    void pass_on();

    // Answers that the node gives itself.
    void answer(unsigned status, std::string body, std::string_view content_type = "application/json");
    void refuse(const ApiError& error);
    void refuse_and_drain(const ApiError& error);
    bool authorised() const;
    std::optional<ApiError> check_origin() const;

    // The reply of the Service.
    void on_head(const inference::ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;
    void schedule_flush();
    void flush();
    void put_head(const inference::ReplyHead& head, std::optional<std::size_t> content_length);
    void put_body(std::string_view bytes);
    void put_event_error(const std::string& error_json);
    void write();
    void on_written(std::size_t body_bytes);
    void request_done();
    void watch_for_hang_up();
    void arm_keep_alive();
    void on_silence();

    boost::beast::tcp_stream stream_;
    std::shared_ptr<ApiShared> shared_;
    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    boost::asio::steady_timer silence_;

    // The request being answered.
    std::string path_;
    std::string request_id_;
    bool keep_connection_ = true;
    bool http_10_ = false;
    bool streams_ = false;  // asked for server-sent events
    Time began_{};
    bool counted_ = false;

    std::unique_ptr<inference::Exchange> exchange_;
    std::optional<inference::ReplyHead> head_;  // given, and not yet put out
    std::string pending_body_;
    bool over_ = false;
    std::optional<Error> error_;
    bool head_put_ = false;
    bool events_ = false;      // the reply is server-sent events
    bool early_head_ = false;  // the head was put out before the Service gave one
    std::string early_error_;  // collects an error body that came after an early head
    bool at_event_end_ = true;
    bool chunked_ = false;
    bool finished_putting_ = false;
    std::size_t reply_bytes_ = 0;

    std::string out_;
    std::size_t out_body_bytes_ = 0;
    std::string writing_;
    bool write_under_way_ = false;
    bool flush_posted_ = false;
    bool watching_ = false;
    bool closed_ = false;
};

}  // namespace planetserve::adapters
