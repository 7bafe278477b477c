// The registry as CometBFT drives it: ABCI 2.0 requests in, responses out (docs/protocols/committee.md).
//
// Pure: no socket, no clock. Blocks alone decide the state, so all validators have the same. `now`, this machine's
// time, only decides which transactions enter the mempool. Commit writes the state to the Store, whole or not at all;
// after a crash CometBFT repeats the block that is missing. Not thread-safe: one writer.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "committee/store.h"
#include "consensus/snapshots.h"

namespace planetserve::abci {
class Request;
class RequestApplySnapshotChunk;
class RequestCheckTx;
class RequestFinalizeBlock;
class RequestInfo;
class RequestInitChain;
class RequestOfferSnapshot;
class RequestPrepareProposal;
class RequestProcessProposal;
class RequestQuery;
class Response;
}  // namespace planetserve::abci

namespace planetserve::consensus {

// Transactions that were parsed and whose signatures were checked. A transaction passes through an application five
// times; this spares four of the checks. Bounded; forgets the oldest.
class TransactionCache {
public:
    explicit TransactionCache(std::size_t capacity) : capacity_(capacity) {}
    Result<std::shared_ptr<const committee::Transaction>> parse(ByteView bytes);

private:
    std::size_t capacity_;
    std::map<crypto::Digest, std::shared_ptr<const committee::Transaction>> known_;
    std::deque<crypto::Digest> order_;
};

class Application {
public:
    // The version of the rules by which transactions change the state; part of every block's header.
    static constexpr std::uint64_t rules_version = 1;

    // Resumes from the state in the store. The store outlives the application.
    static Result<std::unique_ptr<Application>> open(const committee::Genesis& genesis, committee::Store& store);

    // The answer to one request. An error means that this application cannot go on: the store failed, or CometBFT is
    // not of this network. Tell it to CometBFT as an exception, and end both.
    Result<abci::Response> handle(const abci::Request& request, UnixTime now);

    // Sets what is called before a decided block changes the state. At that moment the registry holds the state that
    // the header of the block of that height proves.
    void on_decided(std::function<void(std::int64_t height)> handler) { decided_ = std::move(handler); }

    // The state after the last decided block. The store may not have it yet.
    const committee::Registry& registry() const { return registry_; }
    std::uint64_t transactions() const { return transactions_; }

private:
    struct Unkept {
        std::int64_t height = 0;
        committee::Changes changes;
    };

    Application(const committee::Genesis& genesis, committee::Store& store);

    Status init_chain(const abci::RequestInitChain& request, abci::Response& out);
    void check_tx(const abci::RequestCheckTx& request, UnixTime now, abci::Response& out);
    void prepare(const abci::RequestPrepareProposal& request, abci::Response& out);
    void process(const abci::RequestProcessProposal& request, abci::Response& out);
    Status finalize(const abci::RequestFinalizeBlock& request, abci::Response& out);
    Status commit(abci::Response& out);
    void offer(const abci::RequestOfferSnapshot& request, abci::Response& out);
    Status apply_chunk(const abci::RequestApplySnapshotChunk& request, abci::Response& out);
    void query(const abci::RequestQuery& request, abci::Response& out) const;
    // Whether the transaction may stand in a block of that time, behind transactions of these senders.
    Status fits(ByteView transaction, UnixTime time, std::set<NodeId>& senders);

    committee::Genesis genesis_;
    wire::NetworkId network_;
    committee::Store& store_;
    committee::Registry registry_;
    TransactionCache cache_;
    // Nodes whose transactions wait in the mempool: of each node one, and its leave.
    std::set<std::pair<NodeId, bool>> waiting_;
    std::optional<Unkept> unkept_;
    OfferedSnapshots offered_;
    std::optional<IncomingSnapshot> incoming_;
    std::function<void(std::int64_t)> decided_;
    std::uint64_t transactions_ = 0;
};

}  // namespace planetserve::consensus
