// Entry relays: the small, slowly changing set from which every path's first relay is taken (docs/protocols/paths.md).
//
// Each fresh first relay is a new chance to pick a hostile one, and over many paths the true sender is the predecessor
// more often than chance (the predecessor attack). So a user draws a few entry relays once and keeps them for weeks, as
// Tor does with its guards. A relay that cannot be reached is skipped for a while, not replaced, so that an attacker
// cannot push a user through fresh relays by making entries fail. One that leaves the list is replaced at once, which
// an attacker may use; and one that breaks paths on purpose stays (docs/threat-model.md, "Known, not done").
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "onion/relay_list.h"

namespace planetserve::onion {

struct EntryRelayOptions {
    // Four paths and one being renewed use five; fewer would name the sender less often, and one that fails would break
    // more paths (docs/evaluation.md, "adversary").
    std::size_t count = 6;
    std::chrono::milliseconds lifetime = std::chrono::hours(24 * 60);
    // An entry that left the list is forgotten after this long.
    std::chrono::milliseconds absence = std::chrono::hours(24);
    // An entry that failed is skipped for this long.
    Duration retry_after = 30s;
};

class EntryRelays {
public:
    explicit EntryRelays(EntryRelayOptions options) : options_(options) {}

    // Adopts a set that was kept on disk: lines of "node-id chosen-at-ms absent-since-ms". Fails, and changes nothing,
    // when a line is wrong.
    Status load(std::string_view text);
    std::string save() const;

    // Drops entries that are too old or long absent and draws new ones, so that `count` entries are present among the
    // relays of the directory other than this node. Returns true when the set to be kept on disk changed.
    bool update(const RelayList& relays, const NodeId& self, UnixTime now, Random& random);

    void on_failure(const NodeId& relay, Time now) { failed_until_[relay] = now + options_.retry_after; }
    void on_success(const NodeId& relay) { failed_until_.erase(relay); }

    // The entries in the list that are not being skipped, in the order drawn.
    std::vector<NodeId> usable(Time now) const;
    bool contains(const NodeId& relay) const { return entries_.contains(relay); }
    std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        UnixTime chosen;
        UnixTime absent_since{-1};  // negative while present
        std::size_t order = 0;
    };

    EntryRelayOptions options_;
    std::map<NodeId, Entry> entries_;
    std::map<NodeId, Time> failed_until_;
    std::size_t next_order_ = 0;
};

}  // namespace planetserve::onion
