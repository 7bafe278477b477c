// The model node's end of exchanges: puts requests together, runs each once, and sends the replies
// (docs/protocols/requests.md).
//
// Takes cloves from proxies, words of theirs that a handle is closed, and the time; sends through the FrameSender; runs
// requests on a Service. Bounds: exchanges in all and by each proxy, bytes of cloves and of requests in assembly, bytes
// of replies kept, what may be under way to one asker. Not thread-safe.
//
// Anyone may open an exchange with one clove. It is unverified until a record of it opened: then whoever made it knows
// the exchange's key. Unverified ones give way to new ones, the oldest first.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include "base/random.h"
#include "exchange/records.h"
#include "exchange/run.h"
#include "wire/frame.h"

namespace planetserve::exchange {

// Where a complete request runs: asked before it runs here. Other model nodes of the group may serve it; they answer
// the asker's proxies themselves (docs/protocols/forwarding.md).
class Forwarding {
public:
    virtual ~Forwarding() = default;
    // Another node for the request, none of those excluded; nothing: it runs here.
    virtual std::optional<NodeId> place(const inference::Request& request, const std::set<NodeId>& excluded) = 0;
    // Whether the node may hand requests for this model to us.
    virtual bool accepts_from(const NodeId& node, const std::string& model) = 0;
};

struct ServerLimits {
    std::size_t maximum_exchanges = 1024;
    std::size_t maximum_exchanges_of_proxy = 256;  // opened by a clove from it
    std::size_t maximum_unverified_of_proxy = 64;
    std::uint64_t maximum_body = 16 << 20;
    std::size_t maximum_assembly = 256 << 20;  // bytes of cloves and of requests not yet complete, in all
    std::size_t maximum_kept_reply = 4 << 20;  // of one reply, for retries
    std::size_t maximum_kept_replies = 64 << 20;
    Duration request_deadline = 30s;  // without another record of a request in assembly that opened
    Duration heartbeat = 5s;
    Duration lanes_deadline = 15s;       // with no lane up, the asker is taken to be gone
    Duration reader_deadline = 120s;     // with a full window, and nothing more consumed or acknowledged
    Duration linger = 30s;               // for cloves to be sent again after the end
    std::size_t maximum_closed = 16384;  // remembered for as long
    Duration keep_replies = 10min;
    Duration forward_deadline = 2s;      // for another node to take a request; then a third is asked, or it runs here
    std::size_t maximum_forwards = 2;    // of one request
    Duration forward_linger = 5s;        // the asker's words are passed on, until it speaks to the other node itself
    std::size_t maximum_placed = 16384;  // requests whose node is remembered, for their retries
};

struct ServerCounters {
    std::uint64_t requests = 0;  // complete ones
    std::uint64_t joined = 0;    // answered from a run that was there
    std::uint64_t cancelled = 0;
    std::uint64_t refused = 0;         // cloves and requests
    std::uint64_t corrupt = 0;         // cloves that others of their record proved wrong
    std::uint64_t evicted = 0;         // unverified exchanges that gave way to others
    std::uint64_t stalled = 0;         // exchanges whose asker stopped reading
    std::uint64_t forwarded = 0;       // to other nodes, which took them
    std::uint64_t forward_failed = 0;  // they did not
    std::uint64_t taken_over = 0;      // from other nodes
};

class Server final : private RunEvents {
public:
    Server(const NodeId& self, const crypto::AgreementKey& onion_key, ServerLimits limits, wire::FrameSender& sender,
           inference::Service& service, Random& random, const Clock& clock);
    ~Server() override;

    // It outlives the server. Without it every request runs here.
    void set_forwarding(Forwarding& forwarding) { forwarding_ = &forwarding; }

    void on_clove(const NodeId& proxy, ByteView envelope);
    void on_reply_closed(const NodeId& proxy, ByteView handle);
    void on_link_down(const NodeId& peer);
    // From another model node: a request that it hands over, its word on one that we handed over, the asker's words on
    // one that it handed over.
    void on_forward_request(const NodeId& from, ByteView payload);
    void on_forward_answer(const NodeId& from, ByteView payload);
    void on_forward_control(const NodeId& from, ByteView payload);
    // A proxy's link, whose queue was full, has room again.
    void on_drained(const NodeId& peer);
    void on_timer();
    Time next_timer() const;

    std::size_t exchanges() const { return sessions_.size(); }
    // Bytes of cloves and of requests in assembly, with what it costs to keep them; and of replies that are over.
    std::size_t assembly_bytes() const { return assembly_bytes_; }
    std::size_t kept_bytes() const { return kept_bytes_; }
    std::size_t runs_active() const;
    const ServerCounters& counters() const { return counters_; }

private:
    struct Session;
    struct KeptRun {
        std::unique_ptr<Run> run;
        std::set<ExchangeId> askers;
        std::optional<Time> over_at;
        std::size_t counted = 0;  // in kept_bytes_
    };
    using Runs = std::unordered_map<IdempotencyId, KeptRun, IdHash>;
    struct ProxyCounts {
        std::size_t all = 0;
        std::size_t unverified = 0;
    };

    void on_run_progress(const IdempotencyId& run) override;
    Session* find_or_open(const ExchangeId& id, const NodeId& proxy);
    // Cloves of one record that the proxy may bring.
    static std::size_t cloves_from(const Session& session, const NodeId& proxy);
    void note_verified(Session& session);
    // Drops the oldest unverified exchange, of the proxy if one is given; false when there is none but `except`.
    bool evict_unverified(const NodeId* proxy, const ExchangeId* except);
    bool make_room(const Session& session, std::size_t bytes);
    void count_assembly(Session& session);
    void on_request_record(Session& session, ByteView record);
    void on_control_record(Session& session, ByteView record);
    // False when the request is not acceptable; the session is then closed.
    bool take_items(Session& session, ByteView record);
    void set_lanes(Session& session);
    void start_run(Session& session);
    // With the session's body.
    static inference::Request take_request(Session& session);
    // Hands the request to another node if it belongs there; false when it runs here.
    bool forward(Session& session);
    void forward_again(Session& session);
    bool send_forward(Session& session, const NodeId& to);
    void pass_control(Session& session, ByteView record);
    void remember_placed(const IdempotencyId& id, const NodeId& node);
    void check_forwards(Time now);
    Status take_forward(const NodeId& from, ByteView payload);
    void attach(Session& session, const IdempotencyId& run);
    // Sends what the run has and the asker's windows allow.
    void pump(Session& session);
    void send_record(Session& session, ByteView record);
    void send_clove(Session& session, std::size_t lane, ByteView clove);
    void resend_lane(Session& session, std::size_t lane);
    void note_lanes(Session& session);
    void refuse(Session& session, Error error);
    void report_progress(const IdempotencyId& run);
    void count_kept(KeptRun& run);
    void erase_run(Runs::iterator run);
    // The session no longer waits for its run; a run that nobody waits for stops if that is wished.
    void leave_run(Session& session, bool cancelled);
    void check_reader(Session& session, Time now, std::vector<ExchangeId>& stalled) const;
    void give_up_reader(Session& session);
    void close(const ExchangeId& id, bool cancelled);
    void drop_old_runs(Time now);

    NodeId self_;
    crypto::AgreementKey onion_key_;
    ServerLimits limits_;
    wire::FrameSender& sender_;
    inference::Service& service_;
    Forwarding* forwarding_ = nullptr;
    Random& random_;
    const Clock& clock_;
    std::map<ExchangeId, std::unique_ptr<Session>> sessions_;
    std::unordered_map<ReplyHandle, ExchangeId, IdHash> by_handle_;
    std::map<NodeId, ProxyCounts> opened_by_;
    std::set<std::pair<std::uint64_t, ExchangeId>> unverified_;  // by the order in which they were opened
    std::uint64_t next_order_ = 0;
    std::size_t assembly_bytes_ = 0;
    Runs runs_;
    std::set<std::pair<Time, IdempotencyId>> runs_over_;
    // Where requests were handed, so that a retry goes there too; the oldest go first.
    struct Placed {
        NodeId node;
        Time at;
    };
    std::unordered_map<IdempotencyId, Placed, IdHash> placed_;
    std::deque<IdempotencyId> placed_order_;
    std::set<ExchangeId> forwards_waiting_;
    std::vector<IdempotencyId> runs_to_drop_;  // cancelled within a callback of their own
    // Exchanges that ended lately, so that their last cloves do not open them anew.
    std::unordered_map<ExchangeId, Time, IdHash> closed_;
    std::size_t kept_bytes_ = 0;
    Time next_sweep_{};
    ServerCounters counters_;
};

}  // namespace planetserve::exchange
