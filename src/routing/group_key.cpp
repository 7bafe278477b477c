#include "routing/group_key.h"

#include "crypto/hash.h"

namespace planetserve::routing {

GroupKeyName name_of(const GroupKey& key) {
    GroupKeyName name;
    crypto::hkdf_sha256({}, key.bytes(), "planetserve group key name v1", name.value);
    return name;
}

bool GroupKeyAgreement::update() {
    std::map<GroupKey, std::size_t> supporters{{key_, 1}};
    for (const auto& [member, key] : offered_) ++supporters[key];
    // In ascending order, so that the least of the best supported stays.
    auto best = supporters.begin();
    for (auto candidate = supporters.begin(); candidate != supporters.end(); ++candidate)
        if (candidate->second > best->second) best = candidate;
    if (best->first == key_) return false;
    adopt(best->first);
    return true;
}

}  // namespace planetserve::routing
