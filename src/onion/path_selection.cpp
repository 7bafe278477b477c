#include "onion/path_selection.h"

#include <algorithm>
#include <map>

namespace planetserve::onion {

namespace {

class Picker {
public:
    Picker(const std::vector<RelayInfo>& relays, Random& random)
        : order_(relays.begin(), relays.end()), random_(random) {
        random_.shuffle(order_);
    }

    // Adds relays to the path until it has `length`, skipping those refused.
    template <typename Refused>
    void fill(Selection& selection, std::size_t length, Refused&& refused) {
        for (const RelayInfo& relay : order_) {
            if (selection.hops.size() >= length) return;
            if (fits(selection, relay) && !refused(relay.id)) selection.hops.push_back({relay.id, relay.onion_key});
        }
    }

    bool fits(const Selection& selection, const RelayInfo& relay) const {
        return std::none_of(selection.hops.begin(), selection.hops.end(), [&](const SetupHop& hop) {
            return hop.id == relay.id || (!relay.operator_name.empty() && operator_of(hop.id) == relay.operator_name);
        });
    }

    const RelayInfo* find(const NodeId& id) const {
        auto found = std::find_if(order_.begin(), order_.end(), [&](const RelayInfo& relay) { return relay.id == id; });
        return found == order_.end() ? nullptr : &*found;
    }

private:
    const std::string& operator_of(const NodeId& id) const { return find(id)->operator_name; }

    std::vector<RelayInfo> order_;
    Random& random_;
};

}  // namespace

Result<Selection> select_path(const std::vector<RelayInfo>& relays, const std::vector<NodeId>& entries,
                              const std::set<NodeId>& busy, const std::set<NodeId>& failed, std::size_t length,
                              Random& random) {
    auto too_few = [&] {
        return fail(ErrorCode::unavailable, "the directory lists " + std::to_string(relays.size()) +
                                                " relays besides this node, " + "and a path needs " +
                                                std::to_string(length) + " of different operators");
    };
    if (length == 0 || relays.size() < length) return too_few();
    Picker picker(relays, random);
    Selection selection;
    auto take_entry = [&](auto&& refused) {
        for (const NodeId& entry : entries) {
            const RelayInfo* relay = picker.find(entry);
            if (relay == nullptr || refused(entry) || !selection.hops.empty()) continue;
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
