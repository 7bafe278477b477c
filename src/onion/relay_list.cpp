#include "onion/relay_list.h"

#include <algorithm>
#include <functional>

namespace planetserve::onion {

RelayList::RelayList(std::vector<RelayInfo> relays) {
    if (!std::ranges::is_sorted(relays, std::less{}, &RelayInfo::id)) {
        // By place within one id: a sort that keeps their order takes memory, and clang 19 refuses libstdc++ 12's.
        std::vector<std::size_t> order(relays.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        std::ranges::sort(
            order, [&](std::size_t a, std::size_t b) { return std::tie(relays[a].id, a) < std::tie(relays[b].id, b); });
        std::vector<RelayInfo> sorted;
        sorted.reserve(relays.size());
        for (std::size_t place : order) sorted.push_back(std::move(relays[place]));
        relays = std::move(sorted);
    }
    auto twice = std::ranges::unique(relays, std::equal_to{}, &RelayInfo::id);
    relays.erase(twice.begin(), twice.end());
    relays_ = std::make_shared<const std::vector<RelayInfo>>(std::move(relays));
}

const RelayInfo* RelayList::find(const NodeId& id) const {
    auto found = std::ranges::lower_bound(all(), id, std::less{}, &RelayInfo::id);
    return found == all().end() || found->id != id ? nullptr : &*found;
}

bool RelayList::related(const RelayInfo& one, const RelayInfo& other) {
    auto names = [](const RelayInfo& who, const NodeId& id) {
        return std::ranges::find(who.family, id) != who.family.end();
    };
    return names(one, other.id) && names(other, one.id);
}

const std::vector<RelayInfo>& RelayList::all() const {
    static const std::vector<RelayInfo> none;
    return relays_ ? *relays_ : none;
}

}  // namespace planetserve::onion
