// The user's end of an exchange: one request, dispersed over n lanes, and its reply (docs/protocols/requests.md).
//
// Takes cloves from lanes, losses and replacements of lanes, and the time; sends through UserSideOutput and reports to
// UserSideEvents, both from within its calls. Not thread-safe. It never repeats a request by itself: a
// retry is a new exchange with the same idempotency id.
#pragma once

#include "base/time.h"
#include "exchange/claims.h"
#include "exchange/ownership.h"

namespace planetserve::exchange {

class UserSideOutput {
public:
    virtual ~UserSideOutput() = default;
    // Sends an envelope over a lane; a lane that is down loses it.
    virtual void send(std::size_t lane, ByteView envelope) = 0;
    // How much of that the lane still holds back for want of a window, in units of its own; 0 once all has gone.
    virtual std::size_t unsent(std::size_t lane) const = 0;
};

class UserSideEvents {
public:
    virtual ~UserSideEvents() = default;
    // The server has the request: the target, or another node that it handed the request to. Lanes should lead there
    // from now on; what is sent before they do the target passes on.
    virtual void on_accepted(const NodeId& server) = 0;
    virtual void on_head(const inference::ReplyHead& head) = 0;
    virtual void on_body(ByteView bytes) = 0;
    virtual void on_end() = 0;                      // nothing comes after it
    virtual void on_error(const Error& error) = 0;  // nothing comes after it
    // The lane delivered what nobody sent, or what the model node sent wrong. Told at most max(1, n - k) times in one
    // exchange, so that a model node cannot have paths torn down as it likes.
    virtual void on_corrupt_lane(std::size_t lane) = 0;
};

struct UserSideTiming {
    // From the last part of the request, once k lanes have sent it or have stopped sending, to the model node's word
    // that it has it; a second more for each MiB.
    Duration accept_deadline = 5s;
    // Without any new record from the model node, which sends heartbeats every 5 s. Only a record that opened, and that
    // those before it came, counts: not cloves that a proxy makes up or repeats.
    Duration silence_deadline = 20s;
    // With fewer than k lanes up.
    Duration lanes_deadline = 10s;
};

class UserSide {
public:
    // Requires: lanes.size() == threshold.n. Nothing is sent before start().
    // The owner signs the request: the same one for all retries (ownership.h).
    UserSide(inference::Request request, const crypto::Identity& owner, Target target, dispersal::Threshold threshold,
             std::vector<Lane> lanes, Claims::FindOnionKey find_onion_key, UserSideTiming timing, Random& random,
             UserSideOutput& output, UserSideEvents& events);

    // invalid_argument for a request that no model node would take; unavailable where the target lists an onion key of
    // small order. Nothing was sent then.
    Status start(Time now);
    void on_clove(std::size_t lane, ByteView envelope, Time now);
    void on_lane_down(std::size_t lane, Time now);
    // Another path now carries the lane's cloves.
    void on_lane_replaced(std::size_t lane, const Lane& replacement, Time now);
    // The reader is done with this many more bytes of body.
    void consumed(std::size_t bytes);
    // Tells the model node to stop. No event comes after it.
    void cancel();
    void on_timer(Time now);
    Time next_timer() const;

    // When the model node said something last, were it only that it is at work; before that, the start.
    Time heard_at() const { return heard_at_; }
    bool finished() const { return phase_ == Phase::finished; }
    // The node that serves: the target until another answers.
    const NodeId& serving_node() const { return claims_.serving(); }
    std::size_t lanes_up() const;
    bool lane_up(std::size_t lane) const { return lanes_[lane].up; }

private:
    enum class Phase {
        sending,    // the request goes out; nobody said that it has it
        accepted,   // a model node has the whole request
        answering,  // the reply's head came
        finished,   // the reply's end, an error, or a cancellation
    };
    struct LaneState {
        Lane lane;
        bool up = true;
        bool changed = false;  // replaced since the request was sent
        Source source{};       // another with each path that carries the lane
        bool corrupt = false;  // was told of this path
    };
    // While the request goes out: when to look again, and how much was left.
    struct Upload {
        Duration accept_deadline{};  // for this request's size
        std::optional<Time> check;
        std::size_t unsent = 0;
    };
    struct Acknowledged {
        std::uint64_t bytes = 0;
        std::uint64_t records = 0;
    };

    void send_request();
    void send_record(RecordSender& sender, RecordKind kind, ByteView record);
    void send_control(const Control& control);
    Control progress() const;
    void acknowledge();
    void acknowledge_if_due();
    void handle_record(ByteView record);
    void handle_item(const Item& item);
    void on_proven(const NodeId& node);
    void accept();
    // Another node than the target serves: it has not heard of the lanes' proxies, and may not know of lanes that were
    // replaced meanwhile.
    void greet_server();
    void note_corrupt(std::size_t lane);
    void new_source(std::size_t lane);
    void note_upload(Time now);
    // Tells the model node that nobody waits for it.
    void fail_with(const Error& error);
    // The model node ended the exchange itself.
    void end_with(const Error& error);

    inference::Request request_;
    crypto::Identity owner_;
    dispersal::Threshold threshold_;
    UserSideTiming timing_;
    Random& random_;
    UserSideOutput& output_;
    UserSideEvents& events_;
    Claims claims_;
    std::vector<LaneState> lanes_;
    std::optional<RecordSender> request_sender_;  // until the request is accepted
    std::optional<RecordSender> control_sender_;
    std::uint64_t next_source_ = 0;
    std::size_t corrupt_paths_ = 0;
    Phase phase_ = Phase::sending;
    Time deadline_{};
    Time heard_at_{};
    Upload upload_;
    std::optional<Time> lanes_deadline_;
    std::uint64_t consumed_ = 0;
    Acknowledged acknowledged_;
};

}  // namespace planetserve::exchange
