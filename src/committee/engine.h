// What orders the transactions of a network, as the directory sees it: the embedded engine of a single verification
// node, or a BFT engine of a committee (docs/protocols/committee.md). And where its state is kept.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "committee/registry.h"
#include "committee/state_header.h"

namespace planetserve::committee {

class Engine {
public:
    using Answer = std::function<void(Status)>;

    virtual ~Engine() = default;
    // Takes a transaction for one of the next blocks, or says why not. The answer comes once, perhaps before submit
    // returns.
    virtual void submit(ByteView transaction, UnixTime now, Answer answer) = 0;
    // The newest state that can be proven, by its header; or why there is none yet.
    virtual Result<StateHeader> proof(UnixTime now) = 0;
    // That state, serialised. REQUIRES: the last proof() gave one.
    virtual Bytes proven_state() const = 0;
};

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
