#include "onion/path_set.h"

#include <algorithm>

namespace planetserve::onion {

PathNumber PathSet::add(PooledPath path) {
    PathNumber number{next_number_++};
    by_id_.emplace_back(path.path->id(), number);
    paths_.emplace(number, std::move(path));
    return number;
}

PooledPath* PathSet::find(PathNumber number) {
    auto found = paths_.find(number);
    return found == paths_.end() ? nullptr : &found->second;
}

const PooledPath* PathSet::find(PathNumber number) const {
    auto found = paths_.find(number);
    return found == paths_.end() ? nullptr : &found->second;
}

std::optional<PathNumber> PathSet::number_of(ByteView path_id) const {
    for (const auto& [id, number] : by_id_)
        if (std::ranges::equal(id.bytes(), path_id)) return number;
    return std::nullopt;
}

PathSet::Paths::node_type PathSet::extract(PathNumber number) {
    std::erase_if(by_id_, [&](const auto& item) { return item.second == number; });
    return paths_.extract(number);
}

void PathSet::clear() {
    paths_.clear();
    by_id_.clear();
}

std::size_t PathSet::serving() const {
    return static_cast<std::size_t>(
        std::count_if(paths_.begin(), paths_.end(), [](const auto& item) { return !item.second.draining; }));
}

PathSet::Paths::const_iterator PathSet::next_to_rotate() const {
    auto first = paths_.end();
    for (auto entry = paths_.begin(); entry != paths_.end(); ++entry)
        if (!entry->second.draining && (first == paths_.end() || entry->second.rotate_at < first->second.rotate_at))
            first = entry;
    return first;
}

std::set<NodeId> PathSet::relays_in_use(std::optional<PathNumber> except) const {
    std::set<NodeId> busy;
    for (const auto& [number, entry] : paths_)
        if (!entry.draining && number != except)
            for (const SetupHop& hop : entry.path->hops()) busy.insert(hop.id);
    return busy;
}

std::size_t PathSet::shared_relays(PathNumber path) const {
    const PooledPath* found = find(path);
    if (found == nullptr) return 0;
    std::size_t shared = 0;
    for (const SetupHop& hop : found->path->hops())
        shared += std::any_of(paths_.begin(), paths_.end(), [&](const auto& item) {
            const auto& [number, other] = item;
            if (number == path || other.draining || other.replaces == path || found->replaces == number) return false;
            return std::ranges::find(other.path->hops(), hop.id, &SetupHop::id) != other.path->hops().end();
        });
    return shared;
}

bool PathSet::any_shares_relays() const {
    return std::any_of(paths_.begin(), paths_.end(),
                       [&](const auto& item) { return !item.second.draining && shared_relays(item.first) > 0; });
}

}  // namespace planetserve::onion
