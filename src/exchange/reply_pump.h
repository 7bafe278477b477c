// Sends a model node's records to the user, clove i over lane i, as far as the user's windows allow.
//
// A lane whose proxy's link is full misses cloves until the link has room; a lane whose link is gone is down until the
// user replaces it. They then get the cloves that they missed, and of all records that are not yet acknowledged. A user
// may name any node as a lane's proxy, so a lane gets one small record until that node brought a clove of the exchange,
// and the rest then. Not thread-safe.
#pragma once

#include "base/random.h"
#include "exchange/reply_budget.h"
#include "exchange/run.h"
#include "exchange/session.h"
#include "wire/frame.h"

namespace planetserve::exchange {

class ReplyPump {
public:
    // The sender and the random source outlive it.
    ReplyPump(const NodeId& self, const ModelSideLimits& limits, wire::FrameSender& sender, Random& random)
        : self_(self), sender_(sender), random_(random), budget_(limits) {}

    // Sends what the run has beyond what was sent, and the end or the error once all of the body went. Requires: the
    // session's run is this one.
    void pump(Session& session, const Run& run, Time now);
    // Sends a record of one item: `accepted` or `heartbeat`. Requires: the session's head is known.
    void send(Session& session, ItemKind kind, Time now);
    // Ends the exchange with an error. Requires: the session's head is known.
    void end_with(Session& session, const Error& error, Time now);

    // The user received records and consumed body.
    void acknowledge(Session& session, const Control& control);
    // A lane is new, its link has room again, or its proxy was heard of: sends what it misses.
    void resend_lane(Session& session, std::size_t lane);
    // A heartbeat may go out. However much others do not acknowledge: a user that hears nothing gives up, and one that
    // reads slowly is no reason for it.
    bool may_beat(const Session& session) const { return !session.reply->full(); }
    // The user's windows are used up, or what all sessions may have.
    bool held_back(const Session& session) const;
    // The session ended.
    void forget(const Session& session) { budget_.forget(session); }
    // Of replies, not acknowledged.
    std::size_t unacknowledged_bytes() const { return budget_.bytes(); }
    // Lanes went up or down.
    void note_lanes(Session& session, Time now);

private:
    // Another record may be kept until it is acknowledged.
    bool has_room(const Session& session) const { return !session.reply->full() && budget_.allows(session); }
    // The next record that the windows and the run allow; empty when there is nothing to send.
    Bytes next_record(Session& session, const Run& run) const;
    void send_record(Session& session, ByteView record, Time now);
    // Whether the lane may have a clove of this record now; notes from where it misses cloves if not.
    bool may_send(Session& session, std::size_t lane, std::uint64_t number, std::size_t size) const;
    void send_clove(Session& session, std::size_t lane, std::uint64_t number, ByteView clove);

    NodeId self_;
    wire::FrameSender& sender_;
    Random& random_;
    ReplyBudget budget_;
};

}  // namespace planetserve::exchange
