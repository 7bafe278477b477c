// The user's end of an exchange: one request, dispersed over n lanes, and its reply (docs/protocols/requests.md).
//
// Takes cloves from lanes, losses and replacements of lanes, and the time; sends through UserSideOutput and reports to
// UserSideEvents, both from within its calls. Not thread-safe. It never runs a request twice by itself: whoever tries
// again makes a new exchange with the same idempotency id.
#pragma once

#include <functional>

#include "base/time.h"
#include "exchange/messages.h"
#include "exchange/records.h"

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

struct Target {
    NodeId node;
    crypto::AgreementPublicKey onion_key;
};

class UserSide {
public:
    // The onion key of a model node that says it serves the request; empty for one the directory does not list.
    using FindOnionKey = std::function<std::optional<crypto::AgreementPublicKey>(const NodeId&)>;

    // REQUIRES: lanes.size() == threshold.n. Nothing is sent before start().
    UserSide(inference::Request request, Target target, dispersal::Threshold threshold, std::vector<Lane> lanes,
             FindOnionKey find_onion_key, UserSideTiming timing, Random& random, UserSideOutput& output,
             UserSideEvents& events);

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

    bool finished() const { return finished_; }
    // Who serves: the target until another node answers.
    const NodeId& serving_node() const { return server_; }
    std::size_t lanes_up() const;
    bool lane_up(std::size_t lane) const { return lane_up_[lane]; }

private:
    void send_request();
    void send_record(RecordSender& sender, RecordKind kind, ByteView record);
    void send_control(const Control& control);
    void acknowledge(bool force);
    void handle_record(ByteView record);
    void fix_server(const NodeId& server);
    // Another node than the target serves: it may not know of lanes that were replaced meanwhile.
    void repeat_changes();
    void note_corrupt(std::size_t lane);
    void new_source(std::size_t lane);
    void note_upload(Time now);
    void fail_with(Error error, bool tell_model_node = true);

    inference::Request request_;
    Target target_;
    dispersal::Threshold threshold_;
    std::vector<Lane> lanes_;
    std::vector<bool> lane_up_;
    std::vector<bool> lane_changed_;  // since the request was sent
    FindOnionKey find_onion_key_;
    UserSideTiming timing_;
    Random& random_;
    UserSideOutput& output_;
    UserSideEvents& events_;

    crypto::AgreementKey ephemeral_;
    ExchangeId id_;
    NodeId server_;
    std::optional<RecordSender> request_sender_;
    std::optional<RecordSender> control_sender_;
    struct Answer {
        RecordReceiver receiver;
        crypto::SymmetricKey control;
    };
    std::map<NodeId, Answer> answers_;  // by the node that claims to serve
    bool server_fixed_ = false;         // one of them was proven by a record that opened

    std::vector<Source> sources_;  // of each lane; another with each path that carries it
    std::uint64_t next_source_ = 0;
    std::vector<bool> lane_corrupt_;  // was told of this path
    std::size_t corrupt_paths_ = 0;

    bool accepted_ = false;
    bool head_seen_ = false;
    bool finished_ = false;
    Time deadline_{};
    Duration accept_deadline_{};  // for this request's size
    // While the request is still going out: when to look again, and how much was left.
    std::optional<Time> upload_check_;
    std::size_t unsent_ = 0;
    std::optional<Time> lanes_deadline_;
    std::uint64_t consumed_ = 0;
    std::uint64_t acknowledged_bytes_ = 0;
    std::uint64_t acknowledged_records_ = 0;
};

}  // namespace planetserve::exchange
