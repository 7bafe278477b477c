#include "routing/group_key.h"

#include "crypto/hash.h"

namespace planetserve::routing {

GroupKeyName name_of(const GroupKey& key) {
    GroupKeyName name;
    crypto::hkdf_sha256({}, key.bytes(), "planetserve group key name v1", name.value);
    return name;
}

bool GroupKeyAgreement::update() {
    auto own = supporters_.find(key_);
    const GroupKey* best = &key_;
    std::size_t most = 1 + (own == supporters_.end() ? 0 : own->second);
    // In ascending order, so the least of the best supported keys wins.
    for (const auto& [key, members] : supporters_) {
        if (key == key_ || members < most || (members == most && *best < key)) continue;
        best = &key;
        most = members;
    }
    if (*best == key_) return false;
    adopt(*best);
    return true;
}

}  // namespace planetserve::routing
