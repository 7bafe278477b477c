// Sends a model node's records to the user, clove i over lane i, as far as the user's windows allow.
//
// A lane whose proxy's link is full misses cloves until the link has room; a lane whose link is gone is down until the
// user replaces it. Both then get the cloves of all records that are not yet acknowledged. Not thread-safe.
#pragma once

#include "base/random.h"
#include "exchange/run.h"
#include "exchange/session.h"
#include "wire/frame.h"

namespace planetserve::exchange {

class ReplyPump {
public:
    // The sender and the random source outlive it.
    ReplyPump(const NodeId& self, wire::FrameSender& sender, Random& random)
        : self_(self), sender_(sender), random_(random) {}

    // Sends what the run has beyond what was sent, and the end or the error once all of the body went. Requires: the
    // session's run is this one.
    void pump(Session& session, const Run& run, Time now);
    // Sends a record of one item: `accepted` or `heartbeat`. Requires: the session's head is known.
    void send(Session& session, ItemKind kind, Time now);
    // Ends the exchange with an error. Requires: the session's head is known.
    void end_with(Session& session, const Error& error, Time now);

    // The user received records and consumed body.
    void acknowledge(Session& session, const Control& control);
    // A lane is new, or its link has room again.
    void resend_lane(Session& session, std::size_t lane);
    // Lanes went up or down.
    void note_lanes(Session& session, Time now);

private:
    // The next record that the windows and the run allow; empty when there is nothing to send.
    Bytes next_record(Session& session, const Run& run) const;
    void send_record(Session& session, ByteView record, Time now);
    void send_clove(Session& session, std::size_t lane, ByteView clove);

    NodeId self_;
    wire::FrameSender& sender_;
    Random& random_;
};

}  // namespace planetserve::exchange
