// The reply to one request: the node's own answer, or the Service's reply as it comes.
//
// The connection owns the reply and sends what take() gives. A stream that says nothing for long gets a comment, so
// that nothing between takes the connection for dead; where not even the head came, a head is put early.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "adapters/api/api_shared.h"
#include "adapters/api/client_request.h"
#include "adapters/api/one_usage.h"
#include "adapters/api/response_writer.h"
#include "adapters/api/responses_events.h"
#include "base/lifetime.h"

namespace planetserve::adapters {

// The connection, as a reply uses it. A call may destroy the reply: it is the last thing that the caller does.
class ReplyConnection {
public:
    virtual ~ReplyConnection() = default;
    // There is something to take, or the reply is finished.
    virtual void on_output() = 0;
    // The response is incomplete and must not look whole: the connection ends without the rest.
    virtual void break_off(ResponseWriter::Framing framing) = 0;
    virtual bool is_sending() const = 0;
};

// An answer that the node gives itself.
struct OwnAnswer {
    unsigned status = 200;
    std::string body{};
    std::string content_type = "application/json";
};

// A request for the Service.
struct ServiceCall {
    // Whether the client asked for server-sent events.
    enum class Form { whole, stream };

    // How many answers the client asked for.
    enum class Answers { one, several };

    inference::Request request;
    Form form = Form::whole;
    Answers answers = Answers::one;
};

class HttpReply final : private inference::ReplySink {
public:
    struct Piece {
        std::string bytes;
        std::size_t delivered = 0;  // how much of it the Service delivered
    };

    // All outlive the reply.
    HttpReply(const ClientRequest& request, ApiShared& shared, ReplyConnection& connection,
              const boost::asio::any_io_executor& executor);

    // One of these, once.
    void answer(const OwnAnswer& answer);
    void refuse(const ApiError& error);
    // True when the Service took the call; false when its refusal was answered.
    bool pass_on(ServiceCall call);

    Piece take();
    // So many bytes of the Service's body were sent.
    void on_sent(std::size_t delivered);
    bool finished() const { return writer_.stage() == ResponseWriter::Stage::finished; }
    std::size_t body_bytes() const { return writer_.body_bytes(); }
    // What becomes of the connection once the reply was sent.
    ConnectionAfter connection_after() const { return after_; }
    // The connection is gone: the call is cancelled, and nothing more is put.
    void cancel();

private:
    // How far the Service has come.
    enum class Delivery { none, under_way, ended, failed, cancelled };
    // Where the head came from.
    enum class HeadFrom { nobody, reply, silence };

    void on_head(const inference::ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;
    void schedule_flush();
    void flush();
    void flush_head();
    void flush_unstreamed();
    void finish_delivery();
    void put_head(const inference::ReplyHead& head, std::optional<std::size_t> length);
    void put_delivered();
    void put_body(std::string_view bytes);
    void put_error_events(const ApiError& error);
    ApiError told(const Error& error) const;
    void arm_keep_alive();
    void on_silence();
    bool delivered_all() const { return delivery_ == Delivery::ended || delivery_ == Delivery::failed; }

    const ClientRequest& request_;
    ApiShared& shared_;
    ReplyConnection& connection_;
    boost::asio::steady_timer silence_;
    ResponseWriter writer_;
    ConnectionAfter after_;

    std::unique_ptr<inference::Exchange> exchange_;
    ServiceCall::Form form_ = ServiceCall::Form::whole;
    Delivery delivery_ = Delivery::none;
    Error error_;                               // once it failed
    std::optional<inference::ReplyHead> head_;  // delivered, and not yet put
    HeadFrom head_from_ = HeadFrom::nobody;
    std::string pending_body_;     // delivered, and not yet put
    std::size_t put_ = 0;          // delivered and put, not yet taken
    std::size_t unconsumed_ = 0;   // delivered and not yet sent
    std::string unstreamed_body_;  // the body that came after a head of silence, and is no stream
    bool flush_posted_ = false;
    std::string model_;                         // that was asked for
    unsigned status_ = 0;                       // that the client was told
    std::optional<ResponsesEvents> responses_;  // where the path is /v1/responses
    std::optional<OneUsage> one_usage_;         // of a stream of several answers
    Lifetime lifetime_;
};

}  // namespace planetserve::adapters
