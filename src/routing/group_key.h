// The key under which a group hashes prompts, and how its members agree on one (docs/protocols/routing.md, "The key").
//
// Each member draws a key when it starts and offers it to the others. Each member takes the key that most members
// offer, and counts its own offer too; the least key wins a tie. So a newcomer takes the group's key, and one hostile
// member cannot move others away from it. Pure; not thread-safe.
#pragma once

#include <map>

#include "base/ids.h"
#include "base/random.h"

namespace planetserve::routing {

using GroupKey = FixedBytes<struct GroupKeyTag, 32>;
// Names a key without revealing it.
using GroupKeyName = FixedBytes<struct GroupKeyNameTag, 8>;
GroupKeyName name_of(const GroupKey& key);

class GroupKeyAgreement {
public:
    explicit GroupKeyAgreement(const GroupKey& own) { adopt(own); }

    void on_offer(const NodeId& member, const GroupKey& key) {
        remove(member);
        offered_[member] = key;
        ++supporters_[key];
    }
    void remove(const NodeId& member) {
        auto found = offered_.find(member);
        if (found == offered_.end()) return;
        if (auto support = supporters_.find(found->second); --support->second == 0) supporters_.erase(support);
        offered_.erase(found);
    }
    // Takes the key that most members offer. Returns true if the key changed.
    bool update();

    const GroupKey& key() const { return key_; }
    const GroupKeyName& name() const { return name_; }
    bool agrees(const NodeId& member) const {
        auto found = offered_.find(member);
        return found != offered_.end() && found->second == key_;
    }

private:
    void adopt(const GroupKey& key) {
        key_ = key;
        name_ = name_of(key);
    }

    GroupKey key_;
    GroupKeyName name_;
    std::map<NodeId, GroupKey> offered_;
    // How many members offer each key.
    std::map<GroupKey, std::size_t> supporters_;
};

}  // namespace planetserve::routing
