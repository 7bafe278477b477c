// The model node's end of exchanges: puts requests together, runs each once or forwards it, and sends the replies
// (docs/protocols/requests.md, docs/protocols/forwarding.md).
//
// Takes cloves and closed handles from proxies, frames from other model nodes, progress of runs, and the time; sends
// through the FrameSender; runs requests on a Service. Everything is bounded (ModelSideLimits). Not thread-safe.
//
// An engine's callback tells the owner that a run has progressed (RunEvents); the owner hands this back with the time,
// before it returns.
#pragma once

#include "base/random.h"
#include "base/token_buckets.h"
#include "exchange/forwards.h"
#include "exchange/model_side_limits.h"
#include "exchange/reply_pump.h"
#include "exchange/run_cache.h"
#include "exchange/session_table.h"

namespace planetserve::exchange {

class ModelSide {
public:
    // The sender, the service, the random source and the owner outlive it.
    ModelSide(const NodeId& self, const crypto::AgreementKey& onion_key, const ModelSideLimits& limits,
              wire::FrameSender& sender, inference::Service& service, Random& random, RunEvents& owner);

    // It outlives this. Without it every request runs here.
    void set_forwarding(Forwarding& forwarding) { forwards_.set_forwarding(forwarding); }

    void on_clove(const NodeId& proxy, ByteView envelope, Time now);
    // A proxy no longer knows this handle.
    void on_reply_closed(const NodeId& proxy, ByteView handle, Time now);
    void on_link_down(const NodeId& peer, Time now);
    // A proxy's link, whose queue was full, has room again.
    void on_drained(const NodeId& peer);
    // From another model node: a request that it forwards to us, its answer to a request that we offered, a user's
    // control record for a request that it forwarded to us.
    void on_forward_request(const NodeId& from, ByteView payload, Time now);
    void on_forward_answer(const NodeId& from, ByteView payload, Time now);
    void on_forward_control(const NodeId& from, ByteView payload, Time now);
    // What RunEvents told the owner.
    void on_run_progress(const RunId& run, Time now);
    void on_timer(Time now);
    // Time::max() when nothing waits for the time to pass.
    Time next_timer() const { return next_sweep_ == Time{} ? Time::max() : next_sweep_; }

    std::size_t exchanges() const { return sessions_.size(); }
    // Bytes of cloves and of incomplete requests, with what it costs to keep them; and of replies that are over.
    std::size_t assembly_bytes() const { return sessions_.assembly_bytes(); }
    std::size_t kept_bytes() const { return runs_.kept_bytes(); }
    // Of replies that users have not acknowledged.
    std::size_t unacknowledged_bytes() const { return pump_.unacknowledged_bytes(); }
    std::size_t runs_active() const { return runs_.active(); }
    const ModelSideCounters& counters() const { return counters_; }

private:
    Session* find_or_open(const ExchangeId& id, const NodeId& opener, Time now);
    void on_request_record(Session& session, ByteView record, Time now);
    void on_control_record(Session& session, ByteView record, Time now);
    void on_control_records(const ExchangeId& id, const std::vector<Bytes>& records, Time now);
    // Another path carries the lane: at once, or when its last change is old enough.
    void change_lane(Session& session, const LaneChange& change, Time now);
    // The user's lanes and control record belong to the node that has the request.
    void pass_control(Session& session, const Control& control, ByteView record, Time now);
    // All of the request is here: serves it if its owner signed it.
    void on_complete(Session& session, Time now);
    // The request is complete, and its owner's: it is forwarded, or runs here, or joins a run that is there.
    void serve(Session& session, Time now);
    void refuse(Session& session, const Error& error, Time now);
    Status take_forward(const NodeId& from, const ForwardedRequest& request, Time now);
    // The node that was offered the request does not take it.
    void serve_elsewhere(Session& session, Time now);
    void pump(Session& session, Time now);
    void sweep(Time now);
    bool reader_stalled(Session& session, Time now) const;
    void give_up_reader(Session& session, Time now);
    void close(const ExchangeId& id, Ending ending, Time now);

    crypto::AgreementKey onion_key_;
    ModelSideLimits limits_;
    ModelSideCounters counters_;
    SessionTable sessions_;
    RunCache runs_;
    Forwards forwards_;
    TokenBuckets opens_;  // of each neighbour: an exchange costs a key agreement before anything can be checked
    ReplyPump pump_;
    Time next_sweep_{};  // zero while nothing waits for the time to pass
};

}  // namespace planetserve::exchange
