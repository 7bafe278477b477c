// Orders the transactions of a network with a single verification node: what a BFT engine does for a committee
// (docs/protocols/registry.md). Pure; the state goes to a Store in commit only, whole or not at all.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "committee/registry.h"
#include "committee/state_header.h"

namespace planetserve::committee {

struct StoredState {
    std::int64_t height = 0;
    UnixTime time;
    crypto::Digest app_hash{};
    std::map<NodeId, Bytes> entries;
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

class EmbeddedEngine {
public:
    // The genesis must name this identity as its only validator; the store outlives the engine.
    static Result<std::unique_ptr<EmbeddedEngine>> open(const Genesis& genesis, const crypto::Identity& identity,
                                                        Store& store);

    // Takes a transaction for the next block, or says why not.
    Status submit(ByteView transaction, UnixTime now);
    // Makes a block when there is something to put in it or one is due. An error is the store's; the engine must
    // then be dropped, since it is ahead of what is kept.
    Status tick(UnixTime now);

    const Registry& registry() const { return registry_; }
    // The state as of now, signed. Cheap while nothing changed: it is signed anew once a second.
    const StateHeader& header(UnixTime now);
    Bytes state() const { return registry_.serialise(); }
    const wire::NetworkId& network() const { return network_; }

private:
    EmbeddedEngine(const Genesis& genesis, const crypto::Identity& identity, Store& store)
        : network_(genesis.network()),
          genesis_time_(genesis.time),
          identity_(identity),
          store_(store),
          registry_(genesis) {}

    wire::NetworkId network_;
    UnixTime genesis_time_;
    crypto::Identity identity_;
    Store& store_;
    Registry registry_;
    std::vector<Transaction> pending_;
    // Whose transactions wait, so that none fills a block alone: one of each node, and its leave.
    std::set<std::pair<NodeId, bool>> waiting_;
    StateHeader header_;
};

}  // namespace planetserve::committee
