// Keeps the state of a verification node's registry on disk.
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
    // Empty for a new store. Error: of another network, or damaged.
    virtual Result<std::optional<StoredState>> load(const wire::NetworkId& network) = 0;
    // Stores all changes of a block, or none.
    virtual Status save(const wire::NetworkId& network, std::int64_t height, UnixTime time,
                        const crypto::Digest& app_hash, const Changes& changes) = 0;
};

// Restores the stored state into the registry; without one the registry stays unchanged. Error: the store is damaged,
// and what to do.
Status restore_from(Store& store, const wire::NetworkId& network, Registry& registry);

}  // namespace planetserve::committee
