#include "onion/entry_relays.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace planetserve::onion {

namespace {

constexpr std::size_t maximum_entries = 64;

}  // namespace

Status EntryRelays::load(std::string_view text) {
    std::map<NodeId, Entry> entries;
    std::size_t order = 0;
    std::istringstream lines{std::string(text.substr(0, 16384))};
    for (std::string line; std::getline(lines, line);) {
        if (line.empty()) continue;
        std::istringstream fields(line);
        std::string id_text;
        Entry entry;
        fields >> id_text >> entry.chosen.milliseconds >> entry.absent_since.milliseconds;
        auto id = NodeId::from_hex(id_text);
        if (!fields || !id || entries.size() >= maximum_entries)
            return fail(ErrorCode::malformed,
                        "entry relays: line " + std::to_string(order + 1) + " is not 'node-id chosen absent'");
        entry.order = order++;
        entries.emplace(*id, entry);
    }
    entries_ = std::move(entries);
    next_order_ = order;
    return {};
}

std::string EntryRelays::save() const {
    std::vector<std::pair<NodeId, Entry>> ordered(entries_.begin(), entries_.end());
    std::sort(ordered.begin(), ordered.end(),
              [](const auto& a, const auto& b) { return a.second.order < b.second.order; });
    std::string text;
    for (const auto& [id, entry] : ordered)
        text += id.hex() + " " + std::to_string(entry.chosen.milliseconds) + " " +
                std::to_string(entry.absent_since.milliseconds) + "\n";
    return text;
}

bool EntryRelays::update(const RelayList& relays, const NodeId& self, UnixTime now, Random& random) {
    bool changed = false;
    std::size_t usable = 0;
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        bool here = relays.contains(entry->first);
        if (here != (entry->second.absent_since.milliseconds < 0)) {
            entry->second.absent_since = here ? UnixTime{-1} : now;
            changed = true;
        }
        bool gone = !here && now - entry->second.absent_since >= options_.absence;
        if (gone || now - entry->second.chosen >= options_.lifetime) {
            entry = entries_.erase(entry);
            changed = true;
            continue;
        }
        if (here) ++usable;
        ++entry;
    }
    RandomOrder candidates(relays.size(), random);
    while (usable < options_.count && entries_.size() < maximum_entries) {
        auto candidate = candidates.next();
        if (!candidate) break;
        const NodeId& relay = relays[*candidate].id;
        if (relay == self || entries_.contains(relay)) continue;
        entries_.emplace(relay, Entry{now, UnixTime{-1}, next_order_++});
        ++usable;
        changed = true;
    }
    return changed;
}

std::vector<NodeId> EntryRelays::usable(Time now) const {
    std::vector<std::pair<std::size_t, NodeId>> found;
    for (const auto& [id, entry] : entries_) {
        auto failed = failed_until_.find(id);
        bool skipped = failed != failed_until_.end() && failed->second > now;
        if (entry.absent_since.milliseconds < 0 && !skipped) found.emplace_back(entry.order, id);
    }
    std::sort(found.begin(), found.end());
    std::vector<NodeId> ids;
    for (auto& [order, id] : found) ids.push_back(id);
    return ids;
}

}  // namespace planetserve::onion
