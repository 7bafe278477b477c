#include "verification/leaf_store.h"

namespace planetserve::verification {

void LeafStore::put(Bytes key, Bytes value) {
    Bytes& leaf = leaves_[key];
    if (leaf == value) return;
    leaf = std::move(value);
    changed_.insert(std::move(key));
}

void LeafStore::erase(Bytes key) {
    if (leaves_.erase(key) == 1) changed_.insert(std::move(key));
}

Changes LeafStore::commit() {
    Changes changes;
    for (const Bytes& key : changed_) {
        auto found = leaves_.find(key);
        changes.emplace(key, found == leaves_.end() ? std::nullopt : std::optional(found->second));
    }
    changed_.clear();
    return changes;
}

void LeafStore::reset(const Leaves& leaves) {
    leaves_ = leaves;
    changed_.clear();
}

}  // namespace planetserve::verification
