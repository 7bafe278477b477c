// One request of a user, over one or more attempts: each an exchange with one model node. Private to src/node.
//
// Every call comes with the time in RequestContext::now. The sink hears nothing after its on_end or on_error; it may
// destroy its end of the request within a call, which abandons this.
#pragma once

#include "node/answer_stream.h"
#include "node/attempt_times.h"
#include "node/attempts.h"
#include "node/request_context.h"

namespace planetserve::node {

class UserRequest final : public exchange::UserSideOutput, public exchange::UserSideEvents {
public:
    // Whether the model node is told that nobody waits for its answer.
    enum class Farewell { cancel, silent };

    // The context and the sink outlive it.
    UserRequest(RequestContext& context, RequestNumber number, inference::Request request, inference::ReplySink& sink);
    ~UserRequest() override;

    // Sends the request once enough paths are up; fails when no model node is left to try. Tells the sink nothing.
    Status begin();
    // The sink is done with this many bytes.
    void consumed(std::size_t bytes);
    // Closes the streams; the sink is told nothing afterwards.
    void abandon(Farewell farewell);
    void on_timer();
    Time next_timer() const;

    void on_path_up();
    void on_path_down(std::size_t lane);
    void on_clove(std::size_t lane, ByteView clove);
    void on_stream_closed(std::size_t lane, onion::CloseReason reason);

    void send(std::size_t lane, ByteView envelope) override { lanes_.send(lane, envelope); }
    std::size_t unsent(std::size_t lane) const override { return lanes_.unsent(lane); }
    void on_accepted(const NodeId& serving) override;
    void on_head(const inference::ReplyHead& head) override;
    void on_body(ByteView bytes) override;
    void on_end() override;
    void on_error(const Error& error) override;
    void on_corrupt_lane(std::size_t lane) override;

private:
    enum class Phase {
        waiting_for_paths,  // until wait_until_
        asking,             // sent to a model node; no head came in this attempt
        answering,          // a head came in this attempt
        pausing,            // until wait_until_, then another round begins
        over,               // the sink was told the end, or the request was abandoned
    };

    // False while too few paths are up; an error where this node cannot be asked.
    Result<bool> try_start();
    // The node for the next attempt; null when none is left.
    const ModelNodeInfo* next_node();
    void on_lane_lost(std::size_t lane);
    void replace_lanes();
    void end_attempt();
    void enter_target(const ModelNodeInfo& node);
    void leave_target();
    // The attempt failed, or is late: what that says of the node that has the request, and of the one that forwarded
    // it.
    void note_fault(ModelNodes::Fault fault, double weight);
    void note_failure(double weight) { note_fault(ModelNodes::Fault::failed, weight); }
    // The node that has the request lets its user wait too long, whatever it says.
    void on_first_byte_overdue();
    void on_next_bytes_overdue();
    Time next_bytes_due() const { return context_.now.time + context_.options.patience.next_bytes; }

    // Whether another node, or the one that forwarded the request, may be asked.
    bool another_is_left() const;
    bool entry_is_left() const;
    // Leaves the attempt; true when it did, and what comes of the request was seen to.
    bool try_another();
    // The node that forwarded the request is asked to run it itself, where the other one refused and there is no third.
    bool try_entry_itself();
    // Ends this attempt and begins another. Where no node can be asked, the request pauses or fails.
    void begin_again();
    // Where there is no other node: the same ones again after a pause. False when that was done often enough.
    bool try_again_later(const Error& error);
    // The answer was interrupted, or its continuation is another answer: asks for the rest. False where that cannot be.
    bool resume();
    void resume_or_fail();

    void pass(const Bytes& bytes);
    void finish(const Bytes& last);
    void fail_with(const Error& error);

    RequestContext& context_;
    RequestNumber number_;
    inference::Request request_;
    inference::ReplySink& sink_;
    std::vector<crypto::Digest> conversation_;
    Attempts attempts_;
    std::optional<NodeId> entry_;     // the node that forwarded the request to another
    std::optional<NodeId> ask_next_;  // the next node asked, whichever is left
    std::optional<ModelNodeInfo> target_;
    std::unique_ptr<exchange::UserSide> side_;
    std::vector<std::unique_ptr<exchange::UserSide>> past_sides_;  // may be on the call stack
    RequestLanes lanes_;
    Phase phase_ = Phase::asking;
    Time wait_until_{};
    Error last_error_{};  // of the round before
    AnswerStream answer_;
    AttemptTimes times_;
    unsigned status_ = 0;  // of the reply
};

}  // namespace planetserve::node
