#include "committee/entry_table.h"

#include "base/requires.h"

namespace planetserve::committee {

const Entry* EntryTable::find(const NodeId& id) const {
    auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
}

std::optional<std::pair<UnixTime, NodeId>> EntryTable::next_expiry() const {
    if (expiries_.empty()) return std::nullopt;
    return *expiries_.begin();
}

void EntryTable::put(const NodeId& id, Entry entry) {
    Bytes value = encode_entry(id, entry);
    put_encoded(id, std::move(entry), std::move(value));
}

void EntryTable::put_encoded(const NodeId& id, Entry entry, Bytes value) {
    auto found = entries_.find(id);
    Leaf& leaf = leaves_[id];
    if (found != entries_.end()) {
        expiries_.erase({found->second.expires, id});
        count(found->second, -1);
    }
    bytes_ = bytes_ - leaf.value.size() + value.size();
    leaf.value = std::move(value);
    count(entry, 1);
    expiries_.emplace(entry.expires, id);
    entries_[id] = std::move(entry);
    changed_.insert(id);
}

void EntryTable::count(const Entry& entry, int change) {
    if (!entry.descriptor) return;
    nodes_ += static_cast<std::size_t>(change);
    if (entry.descriptor->role == wire::Role::model) model_nodes_ += static_cast<std::size_t>(change);
}

void EntryTable::erase(const NodeId& id) {
    auto found = entries_.find(id);
    REQUIRES(found != entries_.end());
    expiries_.erase({found->second.expires, id});
    count(found->second, -1);
    bytes_ -= leaves_.at(id).value.size();
    entries_.erase(found);
    leaves_.erase(id);
    changed_.insert(id);
}

Changes EntryTable::commit() {
    Changes changes;
    for (const NodeId& id : changed_) {
        auto found = leaves_.find(id);
        if (found == leaves_.end()) {
            changes.emplace(to_bytes(id.bytes()), std::nullopt);
            continue;
        }
        found->second.hash = entry_leaf(id, found->second.value);
        changes.emplace(to_bytes(id.bytes()), found->second.value);
    }
    changed_.clear();
    return changes;
}

}  // namespace planetserve::committee
