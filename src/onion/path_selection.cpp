#include "onion/path_selection.h"

#include <algorithm>

namespace planetserve::onion {

namespace {

class Picker {
public:
    Picker(const RelayList& relays, const NodeId& self, Random& random)
        : relays_(relays), self_(self), shuffled_(relays.size(), random) {}

    // Adds relays to the path until it has `length`, skipping those refused.
    template <typename Refused>
    void fill(Selection& selection, std::size_t length, Refused&& refused) {
        for (std::size_t place = 0; selection.hops.size() < length; ++place) {
            const RelayInfo* relay = at(place);
            if (relay == nullptr) return;
            if (fits(selection, *relay) && !refused(relay->id)) selection.hops.push_back({relay->id, relay->onion_key});
        }
    }

    bool fits(const Selection& selection, const RelayInfo& relay) const {
        return relay.id != self_ &&
               std::none_of(selection.hops.begin(), selection.hops.end(), [&](const SetupHop& hop) {
                   return hop.id == relay.id || RelayList::related(relay, *relays_.find(hop.id));
               });
    }

private:
    // In one random order for all calls; null after the last.
    const RelayInfo* at(std::size_t place) {
        while (order_.size() <= place) {
            auto next = shuffled_.next();
            if (!next) return nullptr;
            order_.push_back(*next);
        }
        return &relays_[order_[place]];
    }

    const RelayList& relays_;
    const NodeId& self_;
    RandomOrder shuffled_;
    std::vector<std::size_t> order_;
};

}  // namespace

Result<Selection> select_path(const RelayList& relays, const NodeId& self, const std::vector<NodeId>& entries,
                              const std::set<NodeId>& busy, const std::set<NodeId>& failed, std::size_t length,
                              Random& random) {
    const std::size_t others = relays.size() - (relays.contains(self) ? 1 : 0);
    auto too_few = [&] {
        return fail(ErrorCode::unavailable, "the directory lists " + std::to_string(others) +
                                                " relays besides this node, " + "and a path needs " +
                                                std::to_string(length) + " of different families");
    };
    if (length == 0 || others < length) return too_few();
    Picker picker(relays, self, random);
    Selection selection;
    auto take_entry = [&](auto&& refused) {
        for (const NodeId& entry : entries) {
            const RelayInfo* relay = relays.find(entry);
            if (relay == nullptr || entry == self || refused(entry) || !selection.hops.empty()) continue;
            selection.hops.push_back({relay->id, relay->onion_key});
        }
    };
    auto used = [&](const NodeId& id) { return busy.contains(id); };
    auto used_or_failed = [&](const NodeId& id) { return busy.contains(id) || failed.contains(id); };
    auto only_failed = [&](const NodeId& id) { return failed.contains(id); };
    auto nothing = [](const NodeId&) { return false; };

    take_entry(used_or_failed);
    take_entry(used);
    take_entry(only_failed);
    take_entry(nothing);
    if (selection.hops.empty())
        return fail(ErrorCode::unavailable,
                    "none of this user's entry relays can be reached now; they are tried again shortly");
    // Entry relays are kept for first hops where there are others, since one that is busy further along blocks a path
    // of its own.
    std::set<NodeId> entry_set(entries.begin(), entries.end());
    picker.fill(selection, length, [&](const NodeId& id) { return used_or_failed(id) || entry_set.contains(id); });
    picker.fill(selection, length, used_or_failed);
    picker.fill(selection, length, used);
    picker.fill(selection, length, nothing);
    if (selection.hops.size() < length) return too_few();
    selection.shares_relays =
        std::any_of(selection.hops.begin(), selection.hops.end(), [&](const SetupHop& hop) { return used(hop.id); });
    return selection;
}

}  // namespace planetserve::onion
