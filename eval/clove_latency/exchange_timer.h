// One request and its answer between the two ends of an exchange (src/exchange), with nothing between them, timed at
// each end.
#pragma once

#include "crypto/agreement.h"
#include "exchange/model_side.h"
#include "exchange/user_side.h"

namespace planetserve::eval {

// Microseconds of this thread's processor.
struct ExchangeTimes {
    double prepare_prompt = 0;  // at the user: a fresh key, the records, their cloves
    double open_prompt = 0;     // at the model node, with its word that it has the request
    double prepare_answer = 0;  // at the model node
    double open_answer = 0;     // at the user
    // Of each piece, where an answer comes in pieces; summed up in the two above.
    std::vector<double> prepare_piece;
    std::vector<double> open_piece;
};

class ExchangeTimer final : private wire::FrameSender,
                            private inference::Service,
                            private exchange::UserSideOutput,
                            private exchange::UserSideEvents,
                            private exchange::RunEvents {
public:
    explicit ExchangeTimer(Random& random);

    // The answer's pieces are delivered by the engine one after another, and each is read before the next one comes.
    // Fails when the request or the answer does not arrive as it was sent.
    Result<ExchangeTimes> run(ByteView request_body, const std::vector<Bytes>& answer_pieces);

private:
    struct Exchange;
    struct Sent {
        std::size_t lane;
        Bytes envelope;
    };

    void deliver_to_model_node();
    double deliver_to_user(exchange::UserSide& user_side);

    Status send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) override;
    std::size_t queued_bytes(const NodeId&) const override { return 0; }
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;
    void send(std::size_t lane, ByteView envelope) override;
    std::size_t unsent(std::size_t) const override { return 0; }
    void on_accepted(const NodeId&) override {}
    void on_head(const inference::ReplyHead&) override {}
    void on_body(ByteView bytes) override;
    void on_end() override { ended_ = true; }
    void on_error(const Error& error) override { error_ = error; }
    void on_corrupt_lane(std::size_t) override {}
    void on_run_progress(const exchange::RunId& run) override { model_side_->on_run_progress(run, now); }

    static constexpr Time now{1h};  // all happens at one moment

    Random& random_;
    NodeId model_node_;
    crypto::AgreementKey onion_key_;
    std::vector<exchange::Lane> lanes_;

    std::optional<exchange::ModelSide> model_side_;
    std::vector<Sent> to_model_node_;
    std::vector<Sent> to_user_;
    inference::ReplySink* sink_ = nullptr;
    Bytes request_received_;
    std::size_t answer_received_ = 0;
    std::size_t unread_ = 0;
    bool ended_ = false;
    std::optional<Error> error_;
};

// Microseconds that this thread has had of a processor: what else the machine does does not count.
double processor_time();

}  // namespace planetserve::eval
