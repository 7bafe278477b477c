// The consensus engine of a network with a single verification node (docs/protocols/registry.md). Pure; the state goes
// to a Store with each block, whole or not at all.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "committee/consensus_engine.h"
#include "committee/store.h"

namespace planetserve::committee {

class EmbeddedConsensus final : public ConsensusEngine {
public:
    // The genesis must name this identity as its only validator; the store outlives the engine.
    static Result<std::unique_ptr<EmbeddedConsensus>> open(const Genesis& genesis, const crypto::Identity& identity,
                                                           Store& store);

    // Takes a transaction for the next block. Error: why it is refused.
    Status submit(ByteView transaction, UnixTime now);
    // Makes a block if there are transactions or one is due. Error: from the store; then drop the engine, because its
    // state is ahead of the store.
    Status tick(UnixTime now);

    const Registry& registry() const { return registry_; }
    // The state as of now, signed. Cheap while nothing changed: the engine signs it again once a second.
    const StateHeader& header(UnixTime now);

    void submit(ByteView transaction, UnixTime now, Answer answer) override { answer(submit(transaction, now)); }
    Result<StateHeader> proof(UnixTime now) override { return header(now); }
    Bytes proven_state() const override { return registry_.serialise(); }

    const wire::NetworkId& network() const { return network_; }

private:
    EmbeddedConsensus(const Genesis& genesis, const crypto::Identity& identity, Store& store)
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
