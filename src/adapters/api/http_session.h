// One client's connection: reads requests one after the other, and sends the reply to each before it reads the next.
//
// Each part of a request has its deadline, and a connection ends so that the client sees the last reply. While a reply
// is under way the connection is watched, so that a client that hangs up cancels its request.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "adapters/api/api_shared.h"
#include "adapters/api/http_reply.h"
#include "adapters/api/http_routes.h"

namespace planetserve::adapters {

class HttpSession final : public std::enable_shared_from_this<HttpSession>, private ReplyConnection {
public:
    HttpSession(boost::asio::ip::tcp::socket socket, std::shared_ptr<ApiShared> shared);
    ~HttpSession() override;

    void start() { await_request(); }
    // Ends the connection at once; a request under way is cancelled.
    void close();
    // Closes a connection that is between two requests.
    void close_if_idle();

private:
    enum class Phase {
        idle,       // waits for a request's first byte
        header,     // reads a request's head
        body,       // reads its body
        answering,  // a reply is under way
        answered,   // the reply was sent; the read that watched for a hang-up is being called back
        lingering,  // all was sent; reads until the client closes its end
        closed,
    };

    void await_request();
    void read_header();
    void on_header_read(boost::beast::error_code error);
    void on_header();
    void read_body();
    void on_body_read(boost::beast::error_code error);
    void on_request();
    // One deadline at a time, after which `passed` is called.
    void set_deadline(Duration after, void (HttpSession::*passed)());
    void clear_deadline();
    void stop_reading();

    HttpReply& begin_reply();
    void refuse(const ApiError& error);
    // Before the whole request was read: the connection ends with the reply.
    void refuse_early(const ApiError& error);
    void pass_on();
    void watch_for_hang_up();
    void on_output() override { send(); }
    void break_off(ResponseWriter::Framing framing) override;
    bool is_sending() const override { return !sending_.empty(); }
    void send();
    void reply_done();
    void next_request();
    void leave();
    void linger(std::size_t drained);

    bool closed() const { return phase_ == Phase::closed; }

    boost::asio::ip::tcp::socket socket_;
    std::shared_ptr<ApiShared> shared_;
    Phase phase_ = Phase::idle;
    boost::beast::flat_buffer buffer_;
    std::optional<RequestParser> parser_;
    boost::asio::steady_timer deadline_;
    std::uint64_t deadline_round_ = 0;
    bool timed_out_ = false;  // the deadline stopped a read

    ClientRequest request_;
    std::optional<InFlight> in_flight_;  // from the whole request to the end of its reply
    std::optional<HttpReply> reply_;
    // Itself, while a reply is under way: there may be nothing to read or send, so that no operation holds the session.
    std::shared_ptr<HttpSession> held_;
    std::string sending_;    // empty while no write is under way
    bool watching_ = false;  // a read is under way that notices a hang-up
};

}  // namespace planetserve::adapters
