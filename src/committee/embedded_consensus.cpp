#include "committee/embedded_consensus.h"

#include <algorithm>

namespace planetserve::committee {

namespace {

constexpr std::size_t maximum_pending = 8192;
constexpr auto sign_again_after = std::chrono::milliseconds(1000);

}  // namespace

Result<std::unique_ptr<EmbeddedConsensus>> EmbeddedConsensus::open(const Genesis& genesis,
                                                                   const crypto::Identity& identity, Store& store) {
    if (genesis.validators.size() != 1 || genesis.validators[0].id != identity.id())
        return fail(ErrorCode::invalid_argument,
                    "the genesis must name this node, " + identity.id().hex() + ", as its only validator");
    std::unique_ptr<EmbeddedConsensus> engine(new EmbeddedConsensus(genesis, identity, store));
    if (auto restored = restore_from(store, engine->network_, engine->registry_); !restored)
        return std::unexpected(restored.error());
    return engine;
}

Status EmbeddedConsensus::submit(ByteView bytes, UnixTime now) {
    if (pending_.size() >= maximum_pending)
        return fail(ErrorCode::exhausted, "too many transactions wait for a block; try again shortly");
    auto transaction = parse_transaction(bytes);
    if (!transaction) return std::unexpected(transaction.error());
    if (auto checked = registry_.check(*transaction, now); !checked) return checked;
    if (!waiting_.emplace(transaction->sender, std::holds_alternative<Deregister>(transaction->body)).second)
        return fail(ErrorCode::exhausted, "another transaction of node " + transaction->sender.brief() +
                                              " waits for the next block; try again shortly");
    pending_.push_back(std::move(*transaction));
    return {};
}

Status EmbeddedConsensus::tick(UnixTime now) {
    auto due = registry_.next_due();
    if (pending_.empty() && (!due || *due > now)) return {};
    // A registry begun anew, its store being lost, starts higher than the lost one can have come, so that clients that
    // know that one do not take it for an old state.
    std::int64_t height = registry_.height() + 1;
    if (registry_.height() == 0) height = std::max<std::int64_t>(height, (now - genesis_time_).count());
    registry_.begin_block(height, now);
    // What became wrong since it was admitted (a second one of the same sender) has no effect.
    for (const Transaction& transaction : pending_) (void)registry_.apply(transaction);
    pending_.clear();
    waiting_.clear();
    Changes changes = registry_.commit();
    return store_.save(network_, registry_.height(), registry_.time(), registry_.app_hash(), changes);
}

const StateHeader& EmbeddedConsensus::header(UnixTime now) {
    bool current =
        header_.height == registry_.height() && header_.app_hash == registry_.app_hash() && !header_.signatures.empty();
    if (!current || now - header_.time >= sign_again_after) {
        header_ = {registry_.height(), std::max(now, registry_.time()), registry_.app_hash(), {}};
        header_.signatures.push_back(sign_header(header_, network_, identity_));
    }
    return header_;
}

}  // namespace planetserve::committee
