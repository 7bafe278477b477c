#include "consensus/application.h"

#include "consensus/abci.pb.h"

namespace planetserve::consensus {

namespace {

using committee::Transaction;

// Tag and length of a transaction in a block; CometBFT counts them.
constexpr std::int64_t block_overhead = 8;
// As many as the mempool holds, and those of a block.
constexpr std::size_t cached_transactions = 16'384;
// CometBFT forgets older blocks. It takes evidence about fewer (cometbft_home.cpp). In a network at rest these are 11
// days.
constexpr std::int64_t blocks_kept = 200'000;
// The code of a refused transaction; 0 says that it was taken.
std::uint32_t code_of(const Error& error) { return static_cast<std::uint32_t>(error.code) + 1; }

UnixTime time_of(const abci::Timestamp& time) { return {time.seconds() * 1000 + time.nanos() / 1'000'000}; }

bool leaves(const Transaction& transaction) { return std::holds_alternative<committee::Deregister>(transaction.body); }

}  // namespace

Result<std::shared_ptr<const Transaction>> TransactionCache::parse(ByteView bytes) {
    auto digest = crypto::sha256(bytes);
    if (auto found = known_.find(digest); found != known_.end()) return found->second;
    auto parsed = committee::parse_transaction(bytes);
    if (!parsed) return std::unexpected(parsed.error());
    auto kept = std::make_shared<const Transaction>(std::move(*parsed));
    known_.emplace(digest, kept);
    order_.push_back(digest);
    if (order_.size() > capacity_) {
        known_.erase(order_.front());
        order_.pop_front();
    }
    return kept;
}

Application::Application(const committee::Genesis& genesis, committee::Store& store)
    : genesis_(genesis), network_(genesis.network()), store_(store), registry_(genesis), cache_(cached_transactions) {}

Result<std::unique_ptr<Application>> Application::open(const committee::Genesis& genesis, committee::Store& store) {
    std::unique_ptr<Application> application(new Application(genesis, store));
    if (auto restored = committee::restore_from(store, application->network_, application->registry_); !restored)
        return std::unexpected(restored.error());
    return application;
}

Result<abci::Response> Application::handle(const abci::Request& request, UnixTime now) {
    using R = abci::Request;
    abci::Response out;
    Status status;
    switch (request.value_case()) {
        case R::kEcho:
            out.mutable_echo()->set_message(request.echo().message());
            break;
        case R::kFlush:
            out.mutable_flush();
            break;
        case R::kInfo: {
            auto* info = out.mutable_info();
            info->set_data("planetserve");
            info->set_app_version(rules_version);
            info->set_last_block_height(registry_.height());
            if (registry_.height() > 0) info->set_last_block_app_hash(to_string(registry_.app_hash()));
            break;
        }
        case R::kInitChain:
            status = init_chain(request.init_chain(), out);
            break;
        case R::kQuery:
            query(request.query(), out);
            break;
        case R::kCheckTx:
            check_tx(request.check_tx(), now, out);
            break;
        case R::kPrepareProposal:
            prepare(request.prepare_proposal(), out);
            break;
        case R::kProcessProposal:
            process(request.process_proposal(), out);
            break;
        case R::kFinalizeBlock:
            status = finalize(request.finalize_block(), out);
            break;
        case R::kCommit:
            status = commit(out);
            break;
        case R::kListSnapshots:
            offered_.list(*out.mutable_list_snapshots());
            break;
        case R::kOfferSnapshot:
            offer(request.offer_snapshot(), out);
            break;
        case R::kLoadSnapshotChunk: {
            const auto& wanted = request.load_snapshot_chunk();
            out.mutable_load_snapshot_chunk()->set_chunk(
                to_string(offered_.chunk(wanted.height(), wanted.format(), wanted.chunk())));
            break;
        }
        case R::kApplySnapshotChunk:
            status = apply_chunk(request.apply_snapshot_chunk(), out);
            break;
        case R::kExtendVote:
            out.mutable_extend_vote();
            break;
        case R::kVerifyVoteExtension:
            out.mutable_verify_vote_extension()->set_status(abci::ResponseVerifyVoteExtension::ACCEPT);
            break;
        case R::VALUE_NOT_SET:
            status = fail(ErrorCode::malformed, "a request of a kind that this version does not know");
            break;
    }
    if (!status) return std::unexpected(status.error());
    return out;
}

Status Application::init_chain(const abci::RequestInitChain& request, abci::Response& out) {
    if (registry_.height() != 0) return fail(ErrorCode::invalid_argument, "the chain has begun already");
    auto wrong = [](const std::string& what) {
        return fail(ErrorCode::invalid_argument, "the consensus engine has another " + what + " than the genesis");
    };
    if (request.chain_id() != genesis_.consensus_chain_id()) return wrong("chain id");
    if (request.initial_height() != 1) return wrong("initial height");
    if (static_cast<std::size_t>(request.validators_size()) != genesis_.validators.size())
        return wrong("number of validators");
    for (const auto& validator : request.validators()) {
        auto id = NodeId::from(as_bytes(validator.pub_key().ed25519()));
        const auto* known = id ? genesis_.find(*id) : nullptr;
        if (known == nullptr || static_cast<std::uint64_t>(validator.power()) != known->power)
            return wrong("set of validators");
    }
    out.mutable_init_chain()->set_app_hash(to_string(registry_.app_hash()));
    return {};
}

void Application::check_tx(const abci::RequestCheckTx& request, UnixTime now, abci::Response& out) {
    auto* answer = out.mutable_check_tx();
    auto transaction = cache_.parse(as_bytes(request.tx()));
    Status taken = transaction ? registry_.check(**transaction, now) : std::unexpected(transaction.error());
    if (taken && !waiting_.emplace((*transaction)->sender, leaves(**transaction)).second)
        taken = fail(ErrorCode::exhausted, "another transaction of node " + (*transaction)->sender.brief() +
                                               " waits for the next block; try again shortly");
    if (taken) return;
    answer->set_code(code_of(taken.error()));
    answer->set_log(taken.error().message);
}

Status Application::fits(ByteView bytes, UnixTime time, std::set<NodeId>& senders) {
    auto transaction = cache_.parse(bytes);
    if (!transaction) return std::unexpected(transaction.error());
    if (auto checked = registry_.check(**transaction, time); !checked) return checked;
    if (!senders.insert((*transaction)->sender).second)
        return fail(ErrorCode::exhausted, "a second transaction of one node in a block");
    return {};
}

// Leaves out each transaction that would be refused at the block's time. The mempool keeps one that comes too soon for
// the next block.
void Application::prepare(const abci::RequestPrepareProposal& request, abci::Response& out) {
    auto* proposal = out.mutable_prepare_proposal();
    std::set<NodeId> senders;
    std::int64_t room = request.max_tx_bytes();
    for (const std::string& transaction : request.txs()) {
        auto size = static_cast<std::int64_t>(transaction.size()) + block_overhead;
        if (size > room || !fits(as_bytes(transaction), time_of(request.time()), senders)) continue;
        room -= size;
        proposal->add_txs(transaction);
    }
}

void Application::process(const abci::RequestProcessProposal& request, abci::Response& out) {
    std::set<NodeId> senders;
    bool good = true;
    for (const std::string& transaction : request.txs())
        good = good && fits(as_bytes(transaction), time_of(request.time()), senders).has_value();
    using Answer = abci::ResponseProcessProposal;
    out.mutable_process_proposal()->set_status(good ? Answer::ACCEPT : Answer::REJECT);
}

Status Application::finalize(const abci::RequestFinalizeBlock& request, abci::Response& out) {
    if (unkept_ || request.height() != registry_.height() + 1)
        return fail(ErrorCode::invalid_argument, "a block of height " + std::to_string(request.height()) +
                                                     " after one of height " + std::to_string(registry_.height()));
    if (decided_) decided_(request.height());
    auto* result = out.mutable_finalize_block();
    registry_.begin_block(request.height(), time_of(request.time()));
    for (const std::string& bytes : request.txs()) {
        auto transaction = cache_.parse(as_bytes(bytes));
        Status applied = transaction ? registry_.apply(**transaction) : std::unexpected(transaction.error());
        auto* item = result->add_tx_results();
        ++transactions_;
        if (applied) continue;
        item->set_code(code_of(applied.error()));
        item->set_log(applied.error().message);
    }
    unkept_ = Unkept{request.height(), registry_.commit()};
    result->set_app_hash(to_string(registry_.app_hash()));
    return {};
}

Status Application::commit(abci::Response& out) {
    if (!unkept_) return fail(ErrorCode::invalid_argument, "a commit without a block");
    auto saved = store_.save(network_, registry_.height(), registry_.time(), registry_.app_hash(), unkept_->changes);
    if (!saved) return saved;
    unkept_.reset();
    waiting_.clear();  // CometBFT checks again those that still wait
    offered_.on_commit(registry_);
    if (registry_.height() > blocks_kept) out.mutable_commit()->set_retain_height(registry_.height() - blocks_kept);
    out.mutable_commit();
    return {};
}

void Application::offer(const abci::RequestOfferSnapshot& request, abci::Response& out) {
    using Answer = abci::ResponseOfferSnapshot;
    auto* answer = out.mutable_offer_snapshot();
    // A registry with blocks continues from them.
    if (registry_.height() != 0) return answer->set_result(Answer::ABORT);
    // Renewals may have made entries larger since the limit was checked.
    auto most = static_cast<std::size_t>(genesis_.parameters.maximum_list_bytes);
    auto begun = IncomingSnapshot::begin(request.snapshot(), as_bytes(request.app_hash()), most + most / 4);
    if (!begun) return answer->set_result(Answer::REJECT);
    incoming_ = std::move(*begun);
    answer->set_result(Answer::ACCEPT);
}

Status Application::apply_chunk(const abci::RequestApplySnapshotChunk& request, abci::Response& out) {
    using Answer = abci::ResponseApplySnapshotChunk;
    auto* answer = out.mutable_apply_snapshot_chunk();
    answer->set_result(Answer::REJECT_SNAPSHOT);
    if (!incoming_ || request.index() != incoming_->next() || !incoming_->add(as_bytes(request.chunk()))) {
        incoming_.reset();
        return {};
    }
    answer->set_result(Answer::ACCEPT);
    if (!incoming_->complete()) return {};
    committee::Registry restored(genesis_);
    Status good = std::exchange(incoming_, std::nullopt)->restore(restored);
    if (!good) {
        answer->set_result(Answer::REJECT_SNAPSHOT);
        return {};
    }
    committee::Changes all;
    for (auto& [key, value] : restored.values()) all.emplace(key, std::move(value));
    registry_ = std::move(restored);
    return store_.save(network_, registry_.height(), registry_.time(), registry_.app_hash(), all);
}

// Answers "/entry" with a node's id as data by its entry, with a proof that CometBFT's light client understands.
void Application::query(const abci::RequestQuery& request, abci::Response& out) const {
    auto* answer = out.mutable_query();
    answer->set_height(registry_.height());
    auto id = NodeId::from(as_bytes(request.data()));
    if (request.path() != "/entry" || !id) {
        answer->set_code(code_of({ErrorCode::invalid_argument, ""}));
        answer->set_log("only \"/entry\" can be asked for, with the 32 bytes of a node's id as data");
        return;
    }
    answer->set_key(request.data());
    auto proof = registry_.prove(*id);
    if (!proof) {
        answer->set_code(code_of({ErrorCode::not_found, ""}));
        answer->set_log("node " + id->brief() + " has no entry");
        return;
    }
    answer->set_value(to_string(proof->value));
    if (!request.prove()) return;
    abci::ValueOp value;
    value.set_key(request.data());
    value.mutable_proof()->set_total(static_cast<std::int64_t>(proof->count));
    value.mutable_proof()->set_index(static_cast<std::int64_t>(proof->index));
    value.mutable_proof()->set_leaf_hash(to_string(committee::entry_leaf(*id, proof->value)));
    for (const auto& aunt : proof->path) value.mutable_proof()->add_aunts(to_string(aunt));
    auto* op = answer->mutable_proof_ops()->add_ops();
    op->set_type("simple:v");
    op->set_key(request.data());
    op->set_data(value.SerializeAsString());
}

}  // namespace planetserve::consensus
