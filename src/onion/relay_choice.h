// Which relays a user's new paths take: the directory's list, the entry relays, and the relays of paths that failed of
// late. Part of PathPool.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "onion/entry_relays.h"
#include "onion/path_selection.h"

namespace planetserve::onion {

class RelayChoice {
public:
    // The random source outlives it.
    RelayChoice(const NodeId& self, std::size_t path_length, EntryRelayOptions entries, Random& random);

    void update(RelayList relays, UnixTime now);
    // A path that avoids busy relays, as select_path says.
    Result<Selection> select(const std::set<NodeId>& busy, Time now);

    // It is not known which relay is to blame, so all but the entry are avoided for a while.
    void on_path_failed(const std::vector<SetupHop>& hops, Time now);
    void on_entry_failed(const NodeId& entry, Time now) { entries_.on_failure(entry, now); }
    void on_entry_worked(const NodeId& entry) { entries_.on_success(entry); }

    EntryRelays& entries() { return entries_; }
    // True once after the set of entry relays changed.
    bool take_entries_changed() { return std::exchange(entries_changed_, false); }

    bool empty() const { return relays_.empty(); }
    // Relays in the list besides this node.
    std::size_t others() const { return relays_.size() - (relays_.contains(self_) ? 1 : 0); }

private:
    NodeId self_;
    std::size_t path_length_;
    Random& random_;
    EntryRelays entries_;
    bool entries_changed_ = false;
    RelayList relays_;
    std::map<NodeId, Time> failed_until_;
};

}  // namespace planetserve::onion
