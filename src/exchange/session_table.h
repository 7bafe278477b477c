// The model node's exchanges: found by id and by reply handle, bounded in number, by proxy and in bytes.
//
// Anyone may open an exchange with one clove. Until a record of it opens it is unverified, since its maker has not
// shown that it knows the exchange's key. When a bound is reached, unverified exchanges give way, the oldest first;
// verified ones never do. An exchange that ended is remembered for a while, so that its last cloves do not open it
// anew. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include "exchange/model_side_limits.h"
#include "exchange/session.h"

namespace planetserve::exchange {

class SessionTable {
public:
    using Sessions = std::map<ExchangeId, std::unique_ptr<Session>>;

    // The counters outlive the table.
    SessionTable(const ModelSideLimits& limits, ModelSideCounters& counters) : limits_(limits), counters_(counters) {}

    // Null when there is none.
    Session* find(const ExchangeId& id) const;
    Session* find(const ReplyHandle& handle) const;
    // Opened by this proxy or model node. Null where the bounds leave no room. Requires: the id is not open.
    Session* open(const ExchangeId& id, const ExchangeKeys& keys, const NodeId& opener, Time now);
    // The exchange ended a short while ago.
    bool closed(const ExchangeId& id) const { return closed_.contains(id); }
    // Takes a session out. Null when there is none.
    std::unique_ptr<Session> close(const ExchangeId& id, Time now);
    void forget_closed(Time now);

    // A record of it opened.
    void note_verified(Session& session);
    // Room for so many more bytes of the session; evicts others. False when there is none.
    bool make_room(const Session& session, std::size_t bytes);
    // To be called after what the session holds changed.
    void count(Session& session);
    // The lanes of a head that has just become known can be found by their handles.
    void index_lanes(const Session& session);
    // Another path carries the lane. Requires: the session has the lane.
    void replace_lane(Session& session, std::size_t index, const Lane& lane);

    const Sessions& all() const { return sessions_; }
    std::size_t size() const { return sessions_.size(); }
    // True when nothing waits for the time to pass.
    bool idle() const { return sessions_.empty() && closed_.empty(); }
    std::size_t assembly_bytes() const { return assembly_bytes_; }

private:
    struct OpenedBy {
        std::size_t all = 0;
        std::size_t unverified = 0;
    };

    bool full_for(const NodeId& opener) const;
    // Drops the oldest unverified exchange: of the proxy if one is given, and another than `except`. False when there
    // is none.
    bool evict(const NodeId* proxy, const ExchangeId* except);
    std::unique_ptr<Session> remove(const ExchangeId& id);
    void unindex(const Session& session, const Lane& lane);

    ModelSideLimits limits_;
    ModelSideCounters& counters_;
    Sessions sessions_;
    std::unordered_map<ReplyHandle, ExchangeId, IdHash> by_handle_;
    std::map<NodeId, OpenedBy> opened_by_;
    std::set<std::pair<std::uint64_t, ExchangeId>> unverified_;  // by the order in which they were opened
    std::uint64_t next_order_ = 0;
    std::size_t assembly_bytes_ = 0;
    std::unordered_map<ExchangeId, Time, IdHash> closed_;
};

}  // namespace planetserve::exchange
