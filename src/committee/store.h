// Where a verification node keeps the state of the registry between two starts.
#pragma once

#include <optional>

#include "committee/registry.h"

namespace planetserve::committee {

struct StoredState {
    std::int64_t height = 0;
    UnixTime time;
    crypto::Digest app_hash{};
    Values entries;
};

class Store {
public:
    virtual ~Store() = default;
    // Empty for a new store. Fails for one of another network, or that is damaged.
    virtual Result<std::optional<StoredState>> load(const wire::NetworkId& network) = 0;
    // All of a block, or nothing of it.
    virtual Status save(const wire::NetworkId& network, std::int64_t height, UnixTime time,
                        const crypto::Digest& app_hash, const Changes& changes) = 0;
};

// Puts the stored state back into the registry, which stays as it is where there is none. Fails for a store that was
// damaged, saying what to do.
Status restore_from(Store& store, const wire::NetworkId& network, Registry& registry);

}  // namespace planetserve::committee
