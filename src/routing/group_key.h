// The key under which a group hashes prompts, and how its members come to one (docs/protocols/routing.md, "The key").
//
// Each member draws a key at its start and offers it to the others; everyone takes the key that most members offer,
// itself counted, ties to the least. So a newcomer takes what the group has, and one hostile member moves nobody away
// from what most have. Pure; not thread-safe.
#pragma once

#include <map>

#include "base/ids.h"
#include "base/random.h"

namespace planetserve::routing {

using GroupKey = FixedBytes<struct GroupKeyTag, 32>;
// Names a key without telling it.
using GroupKeyName = FixedBytes<struct GroupKeyNameTag, 8>;
GroupKeyName name_of(const GroupKey& key);

class GroupKeyAgreement {
public:
    explicit GroupKeyAgreement(const GroupKey& own) { adopt(own); }

    void on_offer(const NodeId& member, const GroupKey& key) { offered_[member] = key; }
    void remove(const NodeId& member) { offered_.erase(member); }
    // True when the key is another than before.
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
};

}  // namespace planetserve::routing
