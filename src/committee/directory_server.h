// Answers the calls of nodes to a verification node (docs/protocols/registry.md). Pure; a call in, an answer out.
// Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "committee/consensus_engine.h"
#include "committee/genesis.h"
#include "committee/peer_limiter.h"

namespace planetserve::committee {

namespace proto {
class Answer;
class FetchState;
}  // namespace proto

class DirectoryServer {
public:
    // The engine outlives the server.
    DirectoryServer(ConsensusEngine& engine, const Genesis& genesis, PeerLimits limits = {})
        : engine_(engine), genesis_(genesis.to_json()), limiter_(limits) {}

    using Reply = std::function<void(Bytes payload)>;

    // payload: of a call_request frame, call id (8), Call. Calls reply once, perhaps before it returns, with the
    // payload of the call_response, at most 1 MiB; never for a payload that is no call. Refuses a peer that calls too
    // often with `exhausted`.
    void on_call(const NodeId& from, ByteView payload, const Now& now, Reply reply);

    std::uint64_t calls() const { return calls_; }
    std::uint64_t refused() const { return *refused_; }

private:
    // A list that clients fetch in parts stays unchanged while the state moves on.
    struct Snapshot {
        StateHeader header;
        Bytes state;
        UnixTime made;
    };

    void answer_submit(std::string_view transaction, UnixTime now, Bytes call_id, Reply reply);
    void answer_fetch(const proto::FetchState& fetch, UnixTime now, proto::Answer& answer);
    Result<const Snapshot*> latest(UnixTime now);
    const Snapshot* find(ByteView app_hash) const;

    ConsensusEngine& engine_;
    std::string genesis_;
    PeerLimiter limiter_;
    std::deque<Snapshot> snapshots_;
    std::uint64_t calls_ = 0;
    std::shared_ptr<std::uint64_t> refused_ = std::make_shared<std::uint64_t>(0);
};

}  // namespace planetserve::committee
