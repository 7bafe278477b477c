#include "onion/relay_choice.h"

namespace planetserve::onion {

namespace {

// Relays of a path that failed are avoided this long.
constexpr Duration avoid_failed = 30s;
// A bound on memory; relays beyond it are not avoided.
constexpr std::size_t maximum_failed = 4096;

}  // namespace

RelayChoice::RelayChoice(const NodeId& self, std::size_t path_length, EntryRelayOptions entries, Random& random)
    : self_(self), path_length_(path_length), random_(random), entries_(entries) {}

void RelayChoice::update(RelayList relays, UnixTime now) {
    relays_ = std::move(relays);
    if (entries_.update(relays_, self_, now, random_)) entries_changed_ = true;
}

Result<Selection> RelayChoice::select(const std::set<NodeId>& busy, Time now) {
    std::erase_if(failed_until_, [&](const auto& item) { return item.second <= now; });
    std::set<NodeId> failed;
    for (const auto& [id, until] : failed_until_) failed.insert(id);
    return select_path(relays_, self_, entries_.usable(now), busy, failed, path_length_, random_);
}

void RelayChoice::on_path_failed(const std::vector<SetupHop>& hops, Time now) {
    for (const SetupHop& hop : hops)
        if (failed_until_.size() < maximum_failed && hop.id != hops.front().id)
            failed_until_[hop.id] = now + avoid_failed;
}

}  // namespace planetserve::onion
