// The asker's end of an exchange: one request, dispersed over n lanes, and its reply (docs/protocols/requests.md).
//
// Takes cloves from lanes, losses and replacements of lanes, and the time; sends through ClientOutput and reports to
// ClientEvents, both from within its calls. Not thread-safe. It never runs a request twice by itself: whoever tries
// again makes a new exchange with the same idempotency id.
#pragma once

#include <functional>

#include "base/time.h"
#include "exchange/messages.h"
#include "exchange/records.h"

namespace planetserve::exchange {

class ClientOutput {
public:
    virtual ~ClientOutput() = default;
    // Sends an envelope over a lane; a lane that is down loses it.
    virtual void send(std::size_t lane, ByteView envelope) = 0;
};

class ClientEvents {
public:
    virtual ~ClientEvents() = default;
    virtual void on_accepted(const NodeId& server) = 0;
    virtual void on_head(const inference::ReplyHead& head) = 0;
    virtual void on_body(ByteView bytes) = 0;
    virtual void on_end() = 0;                           // nothing comes after it
    virtual void on_error(const Error& error) = 0;       // nothing comes after it
    virtual void on_corrupt_lane(std::size_t lane) = 0;  // the lane delivered what nobody sent
};

struct ClientTiming {
    // From the last part of the request to the model node's word that it has it; a second more for each MiB.
    Duration accept_deadline = 5s;
    // Without any record from the model node, which sends heartbeats every 5 s.
    Duration silence_deadline = 20s;
    // With fewer than k lanes up.
    Duration lanes_deadline = 10s;
};

struct ClientTarget {
    NodeId node;
    crypto::AgreementPublicKey onion_key;
};

class Client {
public:
    // The onion key of a model node that says it serves the request; empty for one the directory does not list.
    using FindOnionKey = std::function<std::optional<crypto::AgreementPublicKey>(const NodeId&)>;

    // REQUIRES: lanes.size() == threshold.n. Nothing is sent before start().
    Client(inference::Request request, ClientTarget target, dispersal::Threshold threshold, std::vector<Lane> lanes,
           FindOnionKey find_onion_key, ClientTiming timing, Random& random, ClientOutput& output,
           ClientEvents& events);

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
    const NodeId& server() const { return server_; }
    std::size_t lanes_up() const;
    bool lane_up(std::size_t lane) const { return lane_up_[lane]; }

private:
    void send_request();
    void send_record(RecordSender& sender, RecordKind kind, ByteView record);
    void send_control(const Control& control);
    void acknowledge(bool force);
    void handle_record(ByteView record);
    void fail_with(Error error);

    inference::Request request_;
    ClientTarget target_;
    dispersal::Threshold threshold_;
    std::vector<Lane> lanes_;
    std::vector<bool> lane_up_;
    FindOnionKey find_onion_key_;
    ClientTiming timing_;
    Random& random_;
    ClientOutput& output_;
    ClientEvents& events_;

    crypto::AgreementKey ephemeral_;
    ExchangeId id_;
    NodeId server_;
    std::optional<RecordSender> request_sender_;
    std::optional<RecordSender> control_sender_;
    std::map<NodeId, RecordReceiver> receivers_;  // by the node that claims to serve
    bool server_fixed_ = false;                   // one of them was proven by a record that opened

    bool accepted_ = false;
    bool head_seen_ = false;
    bool finished_ = false;
    Time deadline_{};
    std::optional<Time> lanes_deadline_;
    std::uint64_t consumed_ = 0;
    std::uint64_t acknowledged_bytes_ = 0;
    std::uint64_t acknowledged_records_ = 0;
};

}  // namespace planetserve::exchange
